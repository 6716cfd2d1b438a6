/** The reading of dnsmasq's leases. */
import { expect, test } from 'vitest';
import { parseGuestLeases, parseLeases } from './lease-file.ts';

test('leases that are in force are read, and other lines are left out', () => {
  const file = `1795255923 c2:74:05:d1:6f:b0 10.11.0.58 node1 *
1795250000 c2:74:05:d1:6f:b1 10.11.0.59 * *
0 c2:74:05:d1:6f:b2 10.11.0.60 * 01:c2
duid 00:01:00:01
1795255923 c2:74:05`;
  expect(parseLeases(file, new Date(1795255000_000))).toEqual([
    { mac: 'c2:74:05:d1:6f:b0', ipv4: '10.11.0.58', name: 'node1', expires: '2026-11-21T10:12:03.000Z' },
    { mac: 'c2:74:05:d1:6f:b2', ipv4: '10.11.0.60', expires: '1970-01-01T00:00:00.000Z' },
  ]);
});

test('the leases of guests are those of both families', () => {
  const file = `1795255923 c2:74:05:d1:6f:b0 10.11.0.58 node1 *
0 c2:74:05:d1:6f:b2 10.11.0.60 * 01:c2
duid 00:01:00:01:2a:5c:11:90
1795255923 1037436 fd77::1:5 web 00:03:00:01:c2:74:05:d1:6f:b0
1795250000 1037437 fd77::1:6 * 00:03:00:01:c2:74:05:d1:6f:b1
1795255923 T1037438 fd77::1:7 * 00:03:00
1795255923 10374 fd77::1`;
  const expires = '2026-11-21T10:12:03.000Z';
  expect(parseGuestLeases(file, new Date(1795255000_000))).toEqual([
    { mac: 'c2:74:05:d1:6f:b0', address: '10.11.0.58', name: 'node1', expires },
    { mac: 'c2:74:05:d1:6f:b2', address: '10.11.0.60' },
    { address: 'fd77::1:5', duid: '00:03:00:01:c2:74:05:d1:6f:b0', name: 'web', expires },
    { address: 'fd77::1:7', duid: '00:03:00', expires },
  ]);
});
