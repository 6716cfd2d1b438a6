/** The links of host0's machine that are no network's, by the subnets in which they have addresses. */
import { parseAlias } from '../../agent/items/mark.ts';
import type { DeviceIn } from '../../controller/catalogue/used-subnets.ts';
import type { LiveMirror } from '../../kernel/mirror/live-mirror.ts';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet } from '../../model/address/ipv4.ts';
import { type Ipv6, type Ipv6Cidr, ipv6InSubnet } from '../../model/address/ipv6.ts';

/** Looks at the present links. A wider subnet of a link is no obstacle: the more special route is taken. */
export function foreignDeviceIn(mirror: Pick<LiveMirror, 'links' | 'addresses'>): DeviceIn {
  return (subnet) => {
    const foreign = new Map([...mirror.links].map((link) => [link.index, link]));
    for (const { family, link: index, address } of mirror.addresses) {
      const link = foreign.get(index);
      if (link === undefined || parseAlias(link.alias) !== undefined || (family === 6) !== subnet.includes(':'))
        continue;
      const isIn =
        family === 4
          ? ipv4InSubnet(address as Ipv4, subnet as Ipv4Cidr)
          : ipv6InSubnet(address as Ipv6, subnet as Ipv6Cidr);
      if (isIn) return link.name;
    }
    return undefined;
  };
}
