/** Subnets that several NICs of this machine are on. The route to such a subnet uses one of them. */
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, ipv4Subnet } from '../../model/address/ipv4.ts';
import type { KernelCache } from './kernel-cache.ts';

/** A subnet that a NIC is on: its machines send to this host by that NIC. */
export interface OnLinkSubnet {
  /** Name of the NIC. */
  readonly device: string;
  readonly subnet: Ipv4Cidr;
}

/**
 * Each NIC with each of its subnets that overlaps a subnet of another NIC. Linux answers for an address by every NIC, so
 * packets of such a subnet come in by any of them.
 */
export function sharedSubnets({ addresses, links }: Pick<KernelCache, 'addresses' | 'links'>): OnLinkSubnet[] {
  const all = [...addresses.values()].flatMap(({ family, scope, link, address, length }) => {
    const device = links.get(link)?.name;
    if (family !== 4 || scope !== 'global' || length === 32 || device === undefined) return [];
    const ipv4 = address as Ipv4;
    return [{ link, device, ipv4, subnet: ipv4Subnet(ipv4, length) }];
  });
  return all
    .filter((one) =>
      all.some(
        (other) =>
          other.link !== one.link && (ipv4InSubnet(other.ipv4, one.subnet) || ipv4InSubnet(one.ipv4, other.subnet)),
      ),
    )
    .map(({ device, subnet }) => ({ device, subnet }))
    .toSorted((a, b) => (`${a.device} ${a.subnet}` < `${b.device} ${b.subnet}` ? -1 : 1));
}
