/**
 * Whether somebody who speaks from host0's address in a mesh is host0, as far as this node's kernel can tell. Frames with
 * host0's Ethernet address come from host0's underlay address only (the VXLAN's entry is permanent); a guest on this very
 * node who sends as host0 moves the bridge's entry to its own port, and is found out by that.
 */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import { OUR_PROTOCOL } from '../items/mark.ts';
import type { KernelCache } from '../kernel/kernel-cache.ts';

export function isVerifiedHost0(cache: KernelCache, network: Network, peer: Ipv6): boolean {
  const { ipv6, bridgeMac: mac } = memberAddresses(network, 'host0');
  const vxlan = cache.linkNamed(network.devices.vxlan)?.index;
  const bridge = cache.linkNamed(network.devices.bridge)?.index;
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
