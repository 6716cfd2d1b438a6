/** The peers that host0 assigns: the nodes that hold a network, each with the address of its VTEP. Pure. */
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, isLinkLocal } from '../../model/address/ipv6.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { serviceAddresses } from '../../model/network/services/service-addresses.ts';
import type { AssignedPeer, AttachmentPeers } from '../../protocol/documents/node-assignment.ts';
import type { PlacedPort } from '../ports/port-record.ts';
import type { HoldingRecord } from './holding-record.ts';
import type { NodePlace } from './node-places.ts';

/** The peers that host0 does not name. One object for all nodes, so that it is digested once. */
export const PEERS_UNTOLD = {
  multicast: { kind: 'multicast' },
  explicit: { kind: 'explicit' },
  none: { kind: 'none' },
} as const;

/** What host0 knows of a node that holds a network. */
export interface NetworkHolder extends NodePlace {
  readonly machine: MachineWord;
  /** Where the node says that its VTEPs are, by network. */
  readonly vteps: HoldingRecord['vteps'];
  /** The network is served there. */
  readonly serves: boolean;
  /** The ports that host0 has placed there. */
  readonly ports: readonly Pick<PlacedPort, 'mac' | 'tap' | 'addresses'>[];
}

/** The peers of a network. A node whose VTEP the others cannot reach is none: it has not told where that VTEP is, for example. */
export function assignedPeers(network: Network | undefined, holders: readonly NetworkHolder[]): AttachmentPeers {
  const peers = holders.flatMap(({ machine, name, underlay: seen, vteps, ports, serves }) => {
    const underlay = network && vtepOf(network, vteps?.[network.id] ?? seen);
    if (network === undefined || underlay === undefined) return [];
    const { macs, ...guests } = guestsOf(ports);
    const servers = serves ? [serviceAddresses(network, machine).mac] : [];
    return [{ machine, name, underlay, macs: [...servers, ...macs], ...guests }];
  });
  return { kind: 'assigned', peers };
}

/** An interface of another program may carry any guest, but for one that is kept to its addresses. */
function guestsOf(ports: NetworkHolder['ports']): Pick<AssignedPeer, 'macs' | 'neighbours'> {
  const known = ports.filter(({ tap, addresses }) => tap === true || addresses !== undefined);
  const neighbours = known.flatMap(({ mac, addresses = [] }) => addresses.map((address) => ({ address, mac })));
  return { macs: known.map(({ mac }) => mac), ...(neighbours.length > 0 && { neighbours }) };
}

/** The networks in which the node's VTEP is elsewhere. */
export function vtepChanges(before: HoldingRecord | undefined, now: HoldingRecord): NetworkId[] {
  const ids = Object.keys({ ...before?.vteps, ...now.vteps }) as NetworkId[];
  return ids.filter((id) => before?.vteps?.[id] !== now.vteps?.[id]);
}

function vtepOf({ type }: Network, address: Ipv4 | Ipv6): Ipv4 | Ipv6 | undefined {
  if (type.kind !== 'vxlan') return address;
  if (isIpv4(address) !== (type.underlay === 'ipv4')) return undefined;
  // On which link such an address is, only a device that the network names says.
  if (!isIpv4(address) && isLinkLocal(address) && type.dev === undefined) return undefined;
  return isUnicast(address) ? address : undefined;
}

/** Neither a group nor the sender itself, in no spelling. */
function isUnicast(address: Ipv4 | Ipv6): boolean {
  return !/^(?:0|127|22[4-9]|2[3-5]\d)\.|^(?:ff..:|::1?$|::ffff:)/.test(address);
}
