/** Which of host0's ports are on a physical segment, and with which subnets: the segments that nodes can be on. */
import { type Ipv4, type Ipv4Cidr, ipv4Subnet } from '../../model/address/ipv4.ts';
import type { Segment } from '../../protocol/documents/assignment.ts';
import { bootNics, type NicLink } from './boot-nic.ts';
import { isUnderlay, type LinkAddress } from './nic-address.ts';

/**
 * @param named names of the ports to use, whatever they are; without it, every port that machines may boot on
 * @returns one for each subnet of each port that is up, in the order of the ports
 */
export function segmentsOf(
  links: Iterable<NicLink>,
  addresses: Iterable<LinkAddress>,
  named: readonly string[] | undefined,
): readonly Segment[] {
  const known = [...addresses];
  const byLink = Map.groupBy(known.filter(isUnderlay), ({ link }) => link);
  const ports = bootNics(links, known, named).filter(({ up }) => up);
  return ports
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
