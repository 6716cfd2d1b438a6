/** Which NICs the rules must name, since the route to a subnet uses only one of them. */
import { expect, test } from 'vitest';
import { portLink } from '../../../test/kit/trace-cluster.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Address } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { sharedSubnets } from './shared-subnets.ts';

function address(link: number, ipv4: string, length = 24): Address {
  const plain = { family: 4, scope: 'global', tentative: false, nodad: false, protocol: 0 } as const;
  return { ...plain, link, address: ipv4 as Ipv4, length };
}

function shared(...addresses: Address[]) {
  const links = [2, 3, 4].map((index) => portLink(index, `eth${index}`));
  return sharedSubnets(KernelTables.of({ links, addresses, routes: [], neighbours: [], fdb: [] }));
}

test('two NICs with addresses of one subnet', () => {
  expect(shared(address(3, '10.0.0.6'), address(2, '10.0.0.5'), address(4, '10.1.0.5'))).toEqual([
    { device: 'eth2', subnet: '10.0.0.0/24' },
    { device: 'eth3', subnet: '10.0.0.0/24' },
  ]);
});

test('a subnet within another', () => {
  expect(shared(address(2, '10.0.0.5', 16), address(3, '10.0.7.5'))).toEqual([
    { device: 'eth2', subnet: '10.0.0.0/16' },
    { device: 'eth3', subnet: '10.0.7.0/24' },
  ]);
});

test('several addresses on one NIC, and NICs with subnets of their own, need nothing', () => {
  expect(shared(address(2, '10.0.0.5'), address(2, '10.0.0.6'), address(3, '10.0.1.5'))).toEqual([]);
});
