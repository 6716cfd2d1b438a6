import { expect, test } from 'vitest';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { nearestFirst } from './nearest-first.ts';

const DOORS = ['eth1', 'eth2', 'eth3'].map((device, segment) => ({ device, host0: parseIpv4(`10.11.${segment}.1`) }));

test('the address on the own segment comes first, and the others keep their order', () => {
  expect(nearestFirst(DOORS, 'eth2')).toEqual(['10.11.1.1', '10.11.0.1', '10.11.2.1']);
});

test('a machine on a segment that is not served any more still gets the others', () => {
  expect(nearestFirst(DOORS, 'eth9')).toEqual(['10.11.0.1', '10.11.1.1', '10.11.2.1']);
  expect(nearestFirst([], 'eth1')).toEqual([]);
});
