/**
 * Source verification of host0: whether a request from host0's address in a mesh really came from host0, by this node's
 * kernel. Frames with host0's Ethernet address are accepted only from host0's underlay address, since the VXLAN
 * device's FDB entry is permanent. A guest on this node that sends as host0 moves the bridge's FDB entry to its own
 * port, which reveals the guest.
 */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { OUR_PROTOCOL } from '../items/mark.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';

/** Whether `peer` is host0's address, and all entries of host0 are those that the agent has made. */
export function isVerifiedHost0(cache: KernelCache, network: Mesh, peer: Ipv6): boolean {
  const { ipv6, bridgeMac: mac } = memberAddresses(network, 'host0');
  const vxlan = cache.linkNamed(network.type.device)?.index;
  const bridge = cache.linkNamed(network.bridge.name)?.index;
  if (peer !== ipv6 || vxlan === undefined || bridge === undefined) return false;
  const neighbour = cache.neighbourOn(bridge, ipv6);
  const entries = [...cache.fdb.values()].filter(
    (entry) => entry.mac === mac && cache.links.get(entry.link)?.master === bridge,
  );
  const isBehindVxlan = (entry: (typeof entries)[number]) => entry.link === vxlan && entry.externLearn;
  return (
    neighbour?.mac === mac &&
    neighbour.state === 'permanent' &&
    neighbour.protocol === OUR_PROTOCOL &&
    entries.some(({ table, state }) => table === 'self' && state === 'permanent') &&
    entries.some(({ table }) => table === 'master') &&
    entries.every(isBehindVxlan)
  );
}
