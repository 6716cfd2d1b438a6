/** Which changes of a network keep its members. */
import { expect, test } from 'vitest';
import { manage, manageWith, mesh, withMtu } from '../../../test/kit/networks.ts';
import type { Mesh } from './mesh.ts';
import { internNetworks, mustRejoin, sameNetwork } from './network-equality.ts';

const guests = mesh('guests', 500);

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
