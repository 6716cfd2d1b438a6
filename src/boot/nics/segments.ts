/** The segments that nodes can be on: host0's NICs that are up, with the subnets of their addresses. Pure. */
import { type Ipv4, type Ipv4Cidr, ipv4Subnet } from '../../model/address/ipv4.ts';
import type { Segment } from '../../protocol/documents/assignment.ts';
import { bootNics, type NicLink } from './boot-nic.ts';
import { isUnderlay, type LinkAddress } from './nic-address.ts';

/**
 * host0 forwards VXLAN packets between these segments.
 * @param named names of the devices to use (`segment_ports`); without it, all NICs that machines may boot on
 * @returns one segment for each subnet of each NIC that is up, in the order of the ifindexes
 */
export function segmentsOf(
  links: Iterable<NicLink>,
  addresses: Iterable<LinkAddress>,
  named: readonly string[] | undefined,
): readonly Segment[] {
  const known = [...addresses];
  const byLink = Map.groupBy(known.filter(isUnderlay), ({ link }) => link);
  const nics = bootNics(links, known, named).filter(({ up }) => up);
  return nics
    .sort((a, b) => a.index - b.index)
    .flatMap(({ name: device, index }) => {
      const bySubnet = new Map<Ipv4Cidr, Segment>();
      for (const { address, length } of byLink.get(index) ?? []) {
        const ipv4 = address as Ipv4;
        const subnet = ipv4Subnet(ipv4, length);
        if (!bySubnet.has(subnet)) bySubnet.set(subnet, { device, ipv4, subnet });
      }
      return [...bySubnet.values()];
    });
}
