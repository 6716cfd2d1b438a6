/**
 * An entry of a forwarding table: in the VXLAN's own (`self`: which host a frame for this Ethernet address goes to; the
 * zero address for flooding) or in the bridge's (`master`: this Ethernet address is behind the VXLAN port). All carry
 * extern_learn, which is our mark: the kernel keeps no protocol on these entries.
 */
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { FLOOD_MAC, type Mac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/network.ts';
import type { ItemKind } from './item-kind.ts';
import { linkKey } from './link.ts';

export interface FdbItem {
  readonly kind: 'fdb';
  readonly table: 'self' | 'master';
  readonly network: NetworkId;
  readonly link: string;
  readonly mac: Mac;
  /** `self` entries only. */
  readonly remoteVtep?: Ipv4;
  /**
   * Of `self` entries, `permanent` ones hold whatever arrives: a frame of that address from another host is dropped. host0
   * has `dynamic` ones, which follow the sender, so that a node whose IPv4 changed can be heard and announced.
   */
  readonly state: 'permanent' | 'static' | 'dynamic';
  /** Carries our mark. */
  readonly marked: boolean;
}

function operation(verb: 'fdb-replace' | 'fdb-append' | 'fdb-delete', item: FdbItem): KernelOperation {
  const { table, link, mac, remoteVtep, state } = item;
  return { do: verb, table, link, mac, state, externLearn: true, ...(remoteVtep !== undefined && { remoteVtep }) };
}

/** The kernel refuses to replace a flood entry, and appending one that is there changes nothing. */
function put(item: FdbItem): KernelOperation {
  return operation(item.mac === FLOOD_MAC ? 'fdb-append' : 'fdb-replace', item);
}

/**
 * An entry that an administrator wrote keeps its state and its lack of a mark, whatever replaces it (vxlan_core.c). It must
 * go first. All flood entries share one mark, so that a foreign one among them takes it from ours, which do as well without.
 */
function isUsurped({ table, mac, marked }: FdbItem): boolean {
  return table === 'self' && mac !== FLOOD_MAC && !marked;
}

export const fdbKind: ItemKind<FdbItem> = {
  // There is one flood entry for each remoteVtep, and one entry for any other address.
  key: ({ link, table, mac, remoteVtep }) => `fdb:${link} ${table} ${mac}${mac === FLOOD_MAC ? ` ${remoteVtep}` : ''}`,
  dependsOn: (item) => [linkKey('vxlan', item.network)],
  rank: () => 7,

  differences(have, want) {
    const differences: string[] = [];
    if (have.remoteVtep !== want.remoteVtep) differences.push(`dst ${have.remoteVtep} → ${want.remoteVtep}`);
    if (have.state !== want.state) differences.push(`${have.state} → ${want.state}`);
    if (isUsurped(have) && want.marked) differences.push('not extern_learn');
    return differences;
  },

  // An entry that the VXLAN learnt (they are dynamic) takes our mark; the bridge keeps an entry static, or permanent (its own
  // address: frames for it end here), whatever replaces it.
  mustRecreate: (have, want) =>
    (isUsurped(have) && have.state !== 'dynamic') || (have.table === 'master' && have.state !== want.state),

  print(item) {
    const verb = item.mac === FLOOD_MAC ? 'append' : 'replace';
    const where = item.table === 'self' ? `dst ${item.remoteVtep} self` : 'master';
    return `bridge fdb ${verb} ${item.mac} dev ${item.link} ${where} ${item.state} extern_learn`;
  },

  create: (item) => [put(item)],
  change: (_, want) => [put(want)],
  remove: (item) => [operation('fdb-delete', item)],
};
