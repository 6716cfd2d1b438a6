/**
 * FDB entries. An entry of the VXLAN's own table (`self`) says to which remote VTEP a frame for an Ethernet address
 * goes; the zero address is for flooding. An entry of the bridge's table (`master`) says that an Ethernet address is
 * behind the VXLAN port. All our entries carry extern_learn, which is our mark: the kernel keeps no protocol on FDB
 * entries.
 */
import type { Ip } from '../../kernel/ip.ts';
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import { FLOOD_MAC, type Mac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { ItemKind } from './item-kind.ts';
import { linkKey, tapKey } from './link.ts';
import { RANK } from './rank.ts';

/** One FDB entry. */
export interface FdbItem {
  readonly kind: 'fdb';
  readonly table: 'self' | 'master';
  readonly network: NetworkId;
  /** Name of the VXLAN device, in both tables; in the bridge's table of the guest of a port here, the port's tap. */
  readonly link: string;
  /** The id of the port whose guest is here. */
  readonly portId?: string;
  /** FLOOD_MAC in a flood entry. */
  readonly mac: Mac;
  /** In `self` entries only. */
  readonly remoteVtep?: Ip;
  /**
   * A `permanent` entry of the table `self` never moves: the kernel drops a frame with that source address from another
   * VTEP. host0 has `dynamic` entries. They follow the sender, so host0 hears a node whose IPv4 address has changed,
   * and announces the change.
   */
  readonly state: 'permanent' | 'static' | 'dynamic';
  /** Whether the entry carries our mark, extern_learn. */
  readonly marked: boolean;
  /** The UDP port that the remote VTEP listens at, where it is not the device's. */
  readonly udpPort?: number;
  /** In an observed item: frames leave with another VNI than the device's, or by a given link. */
  readonly detour?: true;
}

function operation(verb: 'fdb-replace' | 'fdb-append' | 'fdb-delete', item: FdbItem): KernelOperation {
  const { table, link, mac, remoteVtep, udpPort, state } = item;
  const way = { ...(remoteVtep !== undefined && { remoteVtep }), ...(udpPort !== undefined && { udpPort }) };
  return { do: verb, table, link, mac, state, externLearn: true, ...way };
}

/** `10.11.0.2`, or `10.11.0.2 port 8472` where the port is not the device's. */
function vtepText({ remoteVtep, udpPort }: FdbItem): string {
  return udpPort === undefined ? `${remoteVtep}` : `${remoteVtep} port ${udpPort}`;
}

function portText({ udpPort }: FdbItem): string {
  return udpPort === undefined ? "the device's" : String(udpPort);
}

/** Flood entries are appended: the kernel refuses to replace one, and appending an existing one changes nothing. */
function put(item: FdbItem): KernelOperation {
  return operation(item.mac === FLOOD_MAC ? 'fdb-append' : 'fdb-replace', item);
}

/**
 * Whether an administrator wrote the entry. The kernel keeps the state of such an entry, and its lack of a mark, when
 * it is replaced (vxlan_core.c), so it must be deleted first. Flood entries do not count: they share one mark, so a
 * foreign flood entry takes the mark from ours, and ours work without it.
 */
function isUsurped({ table, mac, marked }: FdbItem): boolean {
  return table === 'self' && mac !== FLOOD_MAC && !marked;
}

/** Entries are replaced in place where the kernel permits that; otherwise they are deleted and created. */
export const fdbKind: ItemKind<FdbItem> = {
  // There is one flood entry for each remote VTEP, and one entry for any other address.
  key: (item) => `fdb:${item.link} ${item.table} ${item.mac}${item.mac === FLOOD_MAC ? ` ${vtepText(item)}` : ''}`,
  dependsOn: ({ network, portId }) => [portId === undefined ? linkKey('vxlan', network) : tapKey(portId)],
  rank: () => RANK.entry,

  differences(have, want) {
    const differences: string[] = [];
    if (have.remoteVtep !== want.remoteVtep) differences.push(`dst ${have.remoteVtep} → ${want.remoteVtep}`);
    if (have.udpPort !== want.udpPort) differences.push(`port ${portText(have)} → ${portText(want)}`);
    if (have.state !== want.state) differences.push(`${have.state} → ${want.state}`);
    if (have.detour !== want.detour) differences.push('another VNI or link');
    if (isUsurped(have) && want.marked) differences.push('not extern_learn');
    return differences;
  },

  // An entry that the VXLAN has learnt is dynamic, and takes our mark when it is replaced. The bridge never changes the
  // state of an entry that is static, or permanent (the bridge's own address).
  mustRecreate: (have, want) =>
    (isUsurped(have) && have.state !== 'dynamic') || (have.table === 'master' && have.state !== want.state),

  print(item) {
    const verb = item.mac === FLOOD_MAC ? 'append' : 'replace';
    const where = item.table === 'self' ? `dst ${vtepText(item)} self` : 'master';
    return `bridge fdb ${verb} ${item.mac} dev ${item.link} ${where} ${item.state} extern_learn`;
  },

  create: (item) => [put(item)],
  change: (_, want) => [put(want)],
  remove: (item) => [operation('fdb-delete', item)],
};
