/** Networks that this node cannot serve, because a foreign link has an address in one of their subnets. */
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { type Ipv4Cidr, ipv4InSubnet } from '../../model/address/ipv4.ts';
import { type Ipv6Cidr, ipv6InSubnet } from '../../model/address/ipv6.ts';
import { hostSubnets } from '../../model/network/services/host-subnets.ts';
import type { NodeAttachment } from '../../protocol/documents/node-assignment.ts';
import type { ForeignLink } from './foreign-links.ts';
import type { Obstacle } from './observed.ts';

/**
 * The obstacles of networks that are to get an address here. A network that is here already goes on: to take its rules away would cut off
 * its guests.
 */
export function subnetObstacles(
  cache: Pick<KernelTables, 'linkNamed'>,
  attachments: readonly Pick<NodeAttachment, 'network' | 'hostAddresses'>[],
  links: readonly ForeignLink[],
): Obstacle[] {
  return attachments.flatMap(({ network, hostAddresses = [] }): Obstacle[] => {
    const { id, bridge } = network;
    if (hostAddresses.length === 0 || bridge === undefined || cache.linkNamed(bridge.name) !== undefined) return [];
    const link = links.find((one) => hostSubnets(network).some((cidr) => hasAddressIn(one, cidr)));
    return link === undefined ? [] : [{ network: id, device: link.device, reason: 'subnet' }];
  });
}

/** A wider subnet of a link is no obstacle: the more special route is taken. */
function hasAddressIn({ ipv4, ipv6 }: ForeignLink, cidr: string): boolean {
  return cidr.includes(':')
    ? ipv6.some(({ address }) => ipv6InSubnet(address, cidr as Ipv6Cidr))
    : ipv4.some(({ address }) => ipv4InSubnet(address, cidr as Ipv4Cidr));
}
