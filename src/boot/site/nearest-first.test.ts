/** The order of host0's addresses for a booting machine. */
import { expect, test } from 'vitest';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { nearestFirst } from './nearest-first.ts';

const ENDPOINTS = ['eth1', 'eth2', 'eth3'].map((device, segment) => ({
  device,
  host0: parseIpv4(`10.11.${segment}.1`),
}));

test('the address on the machine’s own segment comes first, and the others keep their order', () => {
  expect(nearestFirst(ENDPOINTS, 'eth2')).toEqual(['10.11.1.1', '10.11.0.1', '10.11.2.1']);
});

test('a machine on a segment that is not served any more gets the other addresses', () => {
  expect(nearestFirst(ENDPOINTS, 'eth9')).toEqual(['10.11.0.1', '10.11.1.1', '10.11.2.1']);
  expect(nearestFirst([], 'eth1')).toEqual([]);
});
