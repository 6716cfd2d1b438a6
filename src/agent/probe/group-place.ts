/** Where the multicast groups of a node's networks are: which device, which group, how far. Pure. */
import type { Ip } from '../../kernel/ip.ts';
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Network } from '../../model/network/network.ts';
import { hexNumber, type NetworkId } from '../../model/network/number.ts';

/** One group that the node takes part in. */
export interface GroupPlace {
  readonly network: NetworkId;
  readonly name: string;
  /** The number of the network, as hellos have it. */
  readonly number: string;
  readonly group: Ip;
  readonly family: 'ipv4' | 'ipv6';
  readonly device: string;
  /** A device that is made again has another index: sockets on the old one hear nothing. */
  readonly index: number;
  /** The hop limits of hellos: one that no router forwards, then the one that routers do. */
  readonly hops: readonly number[];
}

/** Farther than multicast of a site goes: a network that stops at its own hop limit is told from one without multicast. */
const FAR_HOPS = 8;

/** The groups of these networks on devices that are there. */
export function groupPlaces(networks: readonly Network[], cache: Pick<KernelTables, 'linkNamed'>): GroupPlace[] {
  return networks.flatMap(({ id, name, number, peers, type }) => {
    if (peers?.kind !== 'multicast' || type.kind !== 'vxlan' || type.dev === undefined) return [];
    const link = cache.linkNamed(type.dev);
    if (link === undefined || !link.up) return [];
    const place = { network: id, name, number: hexNumber(number), group: peers.group, family: type.underlay };
    const hops = [1, Math.max(type.hopLimit ?? 1, FAR_HOPS)];
    return [{ ...place, device: type.dev, index: link.index, hops }];
  });
}
