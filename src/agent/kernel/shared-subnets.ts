/** Subnets that several NICs of this machine are on. The route to such a subnet uses one of them. */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { type Ipv4, type Ipv4Cidr, ipv4Subnet } from '../../model/address/ipv4.ts';

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
export function sharedSubnets({ addresses, links }: Pick<KernelTables, 'addresses' | 'links'>): OnLinkSubnet[] {
  // A machine with containers can have thousands of addresses, so no subnet is compared with each other one.
  const nicsOf = new Map<Ipv4Cidr, Set<string>>();
  for (const { family, scope, link, address, length } of addresses.values()) {
    const device = links.get(link)?.name;
    if (family !== 4 || scope !== 'global' || length === 32 || device === undefined) continue;
    const subnet = ipv4Subnet(address as Ipv4, length);
    const nics = nicsOf.get(subnet);
    if (nics === undefined) nicsOf.set(subnet, new Set([device]));
    else nics.add(device);
  }
  const lengths = [...new Set(Array.from(nicsOf.keys(), lengthOf))];
  const shared = new Map<string, OnLinkSubnet>();
  const put = (subnet: Ipv4Cidr) => {
    for (const device of nicsOf.get(subnet) ?? []) shared.set(`${device} ${subnet}`, { device, subnet });
  };
  for (const [subnet, nics] of nicsOf) {
    for (const length of lengths) {
      // Two subnets overlap when one is a part of the other.
      const wider = length <= lengthOf(subnet) ? ipv4Subnet(subnet.split('/')[0] as Ipv4, length) : undefined;
      const others = wider === undefined ? undefined : nicsOf.get(wider);
      if (wider === undefined || others === undefined || others.union(nics).size === 1) continue;
      put(subnet);
      put(wider);
    }
  }
  return [...shared].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, subnet]) => subnet);
}

function lengthOf(subnet: Ipv4Cidr): number {
  return Number(subnet.slice(subnet.indexOf('/') + 1));
}
