/** The links of a machine that are not the agent's: NICs, and what other programs have made. */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { type Ipv4, type Ipv4Cidr, ipv4Subnet } from '../../model/address/ipv4.ts';
import { type Ipv6, type Ipv6Cidr, ipv6Subnet } from '../../model/address/ipv6.ts';
import { parseAlias } from '../items/mark.ts';

/** A link that networks can stand on, with the addresses that VXLAN packets may have as their source. */
export interface ForeignLink {
  readonly device: string;
  /** `bridge`, `veth` …; empty for a NIC. */
  readonly kind: string;
  /** The link takes router advertisements while this machine does not forward (`accept_ra`). */
  readonly hearsRouters: boolean;
  /** IPv4 packets that come in on the link are forwarded, whoever has switched that on. */
  readonly forwards: boolean;
  readonly ipv4: readonly { readonly address: Ipv4; readonly subnet: Ipv4Cidr }[];
  /** Global addresses first: a link-local one is of use on one link only. */
  readonly ipv6: readonly { readonly address: Ipv6; readonly subnet: Ipv6Cidr }[];
}

/** All such links with a usable address, and all bridges. Addresses that are tentative or about to go are left out. */
export function foreignLinks({ links, addresses }: Pick<KernelTables, 'links' | 'addresses'>): ForeignLink[] {
  const found = new Map<number, Found>();
  for (const { index, name, kind, alias, loopback, conf, forwards } of links.values()) {
    if (loopback || parseAlias(alias) !== undefined) continue;
    found.set(index, { device: name, kind, hearsRouters: conf.acceptRa > 0, forwards, ipv4: [], ipv6: [] });
  }
  for (const { family, link, address, length, scope, tentative, nodad, fading } of addresses.values()) {
    const on = found.get(link);
    if (on === undefined || scope === 'host' || (tentative && !nodad) || fading === true) continue;
    if (family === 4) on.ipv4.push({ address: address as Ipv4, subnet: ipv4Subnet(address as Ipv4, length) });
    else on.ipv6.push({ address: address as Ipv6, subnet: ipv6Subnet(address as Ipv6, length), scope });
  }
  const usable = [...found.values()].filter(
    ({ kind, ipv4, ipv6 }) => kind === 'bridge' || ipv4.length + ipv6.length > 0,
  );
  return usable.map(({ ipv6, ...link }) => ({
    ...link,
    ipv6: ipv6
      .toSorted((a, b) => Number(a.scope === 'link') - Number(b.scope === 'link'))
      .map(({ address, subnet }) => ({ address, subnet })),
  }));
}

type V6 = ForeignLink['ipv6'][number] & { readonly scope: string };

interface Found extends Pick<ForeignLink, 'device' | 'kind' | 'hearsRouters' | 'forwards'> {
  readonly ipv4: ForeignLink['ipv4'][number][];
  readonly ipv6: V6[];
}
