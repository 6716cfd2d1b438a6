/** What a table shows of the addresses of a network. */
import { expect, test } from 'vitest';
import { manage, storeNetwork } from '../../../test/kit/networks.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import { ownAddressText, prefixText } from './network-address.ts';

const blue = storeNetwork('blue', 0x1001);
const own = { mac: '52:54:00:00:00:01' as Mac, ipv6: 'fe80::1' as Ipv6 };

test('a mesh has a prefix, another network the first of its subnets, or none', () => {
  expect(prefixText(manage)).toBe('fd42:2345:1234:9abc::/64');
  expect(prefixText(blue)).toBe('–');
  const subnets = ['192.168.77.0/24', '10.7.0.0/16'].map((cidr) => ({ cidr: cidr as Ipv4Cidr }));
  expect(prefixText({ ...blue, subnets })).toBe('192.168.77.0/24 +1');
});

test('the address that all reach comes before the one of the link', () => {
  expect(ownAddressText(own)).toBe('fe80::1');
  expect(ownAddressText({ ...own, addresses: [] })).toBe('fe80::1');
  expect(ownAddressText({ ...own, addresses: ['192.168.77.1' as Ipv4] })).toBe('192.168.77.1');
});
