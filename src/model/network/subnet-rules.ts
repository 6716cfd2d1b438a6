/** Rules between the subnets, routes and addresses of one network. */
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet, isIpv4 } from '../address/ipv4.ts';
import { type Ipv6, type Ipv6Cidr, ipv6InSubnet } from '../address/ipv6.ts';
import { Misfit } from '../form.ts';
import type { Network } from './network.ts';
import type { Subnet } from './subnet.ts';

/** Where a network has an address that is not in its subnet; undefined when all fit. */
export function subnetFault({ subnets, routes, hostAddress }: Network): Misfit | undefined {
  for (const [index, subnet] of subnets.entries()) {
    const outside = addressesOf(subnet).find(({ address }) => !isInSubnet(address, subnet.cidr));
    if (outside !== undefined) {
      return new Misfit(['subnets', index, ...outside.path], { rule: `The address is in the subnet ${subnet.cidr}.` });
    }
  }
  for (const [index, { cidr, via }] of routes.entries()) {
    if (via.includes(':') !== cidr.includes(':')) {
      return new Misfit(['routes', index, 'via'], { rule: `The way to ${cidr} is an address of the same family.` });
    }
  }
  if (hostAddress.kind !== 'given' || subnets.some((subnet) => subnet.hostAddress !== undefined)) return undefined;
  return new Misfit(['hostAddress'], {
    rule: 'A host address that is given stands in a subnet.',
    remedy: 'Write hostAddress in one of the subnets, or another kind',
  });
}

interface PlacedAddress {
  readonly address: Ipv4 | Ipv6;
  readonly path: readonly PropertyKey[];
}

function addressesOf({ hostAddress, dhcp }: Subnet): PlacedAddress[] {
  return [
    ...(hostAddress === undefined ? [] : [{ address: hostAddress, path: ['hostAddress'] }]),
    ...(dhcp?.ranges ?? []).flatMap(({ first, last }, index) => [
      { address: first, path: ['dhcp', 'ranges', index, 'first'] },
      { address: last, path: ['dhcp', 'ranges', index, 'last'] },
    ]),
    ...(dhcp?.hosts ?? []).flatMap(({ address }, index) =>
      address === undefined ? [] : [{ address, path: ['dhcp', 'hosts', index, 'address'] }],
    ),
  ];
}

function isInSubnet(address: Ipv4 | Ipv6, cidr: Ipv4Cidr | Ipv6Cidr): boolean {
  if (address.includes(':') !== cidr.includes(':')) return false;
  return isIpv4(address) ? ipv4InSubnet(address, cidr as Ipv4Cidr) : ipv6InSubnet(address, cidr as Ipv6Cidr);
}
