/** Which changes of a network keep its members. */
import { expect, test } from 'vitest';
import { manage, manageWith, mesh, storeNetwork, withMtu } from '../../../test/kit/networks.ts';
import type { Ipv4Cidr } from '../address/ipv4.ts';
import type { Ipv6 } from '../address/ipv6.ts';
import type { Mesh } from './mesh.ts';
import type { Network } from './network.ts';
import { internNetworks, mustRejoin, type NetworkChange, networkChange, sameNetwork } from './network-equality.ts';
import type { NetworkNumber } from './number.ts';
import type { Vni } from './types/vxlan.ts';

const guests = mesh('guests', 500);
const blue = storeNetwork('blue', 0xff01);
const vxlan = { ...manage.type, device: 'vxlanff01', vni: 0xff01 as Vni };

/** The same value, with the keys of every part in the opposite order. */
function reordered<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).toReversed();
  return Object.fromEntries(entries.map(([key, part]) => [key, reordered(part)])) as T;
}

test('networks are the same when all parts are equal, in any order of keys', () => {
  expect(sameNetwork(manage, manageWith({}))).toBe(true);
  expect(JSON.stringify(reordered(manage))).not.toBe(JSON.stringify(manage));
  expect(sameNetwork(manage, reordered(manage))).toBe(true);
  expect(sameNetwork(manage, withMtu(manage, 1400))).toBe(false);
  expect(sameNetwork(manage, { ...manage, bridge: { ...manage.bridge, name: 'br7' } })).toBe(false);
});

test.each([
  { name: 'office' },
  { prefix: 'fd42:2345:1234:beef::/64' },
  { vni: 457 },
  { key: '457' },
])('another number, name, key or prefix is another mesh: %o', (change) => {
  expect(mustRejoin(manage, manageWith(change))).toBe(true);
});

test('after any other change, the mesh is still the same mesh', () => {
  expect(mustRejoin(manage, manage)).toBe(false);
  expect(mustRejoin(manage, withMtu(manage, 1400))).toBe(false);
  const renamed: Mesh = {
    ...manage,
    bridge: { ...manage.bridge, name: 'br' },
    type: { ...manage.type, device: 'vx' },
  };
  expect(mustRejoin(manage, renamed)).toBe(false);
});

test.each<[NetworkChange, string, Network]>([
  ['none', 'nothing', storeNetwork('blue', 0xff01)],
  ['in place', 'the name of a network without key', { ...blue, name: 'navy' }],
  ['in place', 'the MTU and the description', { ...blue, mtuBytes: 1400, description: 'for the office' }],
  ['in place', 'a subnet', { ...blue, subnets: [{ cidr: '10.7.0.0/24' as Ipv4Cidr }] }],
  ['in place', 'the peers', { ...blue, peers: { kind: 'multicast', group: 'ff05::ff01' as Ipv6 } }],
  ['device', 'the VNI', { ...blue, type: { ...vxlan, vni: 7 as Vni } }],
  ['device', 'the UDP port', { ...blue, type: { ...vxlan, udpPort: 8472 } }],
  ['device', 'the family of the underlay', { ...blue, type: { ...vxlan, underlay: 'ipv6' } }],
  ['device', 'the underlay device', { ...blue, type: { ...vxlan, dev: 'eth1' } }],
  ['device', 'the type', { ...blue, type: { kind: 'bridge' } }],
  ['join', 'the number', { ...blue, number: 7 as NetworkNumber }],
])('%s: another network in %s', (change, _, after) => {
  expect(networkChange(blue, after)).toBe(change);
  expect(networkChange(after, blue)).toBe(change);
});

test('addresses that are derived from a name or a key make members join anew', () => {
  const prefixed: Network = { ...blue, hostAddress: manage.hostAddress };
  expect(networkChange(manage, manageWith({ name: 'office' }))).toBe('join');
  expect(networkChange(prefixed, { ...prefixed, name: 'navy' })).toBe('in place');
  expect(networkChange(prefixed, { ...prefixed, hostAddress: { ...manage.hostAddress, key: '7' } })).toBe('join');
  expect(networkChange(prefixed, blue)).toBe('join');
});

test('an unchanged network keeps its object, and an unchanged list its array', () => {
  const before = [manage, guests];
  expect(internNetworks(before, [reordered(manage), reordered(guests)])).toBe(before);

  const [first, second] = internNetworks(before, [reordered(manage), withMtu(guests, 1400)]);
  expect(first).toBe(manage);
  expect(second).toEqual(withMtu(guests, 1400));

  expect(internNetworks(before, [guests, manage])).toEqual([guests, manage]);
  expect(internNetworks(before, [reordered(manage)])).toEqual([manage]);
  expect(internNetworks([manage], before)).toEqual(before);
  expect(internNetworks([], [])).toEqual([]);
});
