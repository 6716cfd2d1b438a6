import { expect, test } from 'vitest';
import { board, manage, manageWith, withMtu } from '../../../test/kit/networks.ts';
import { meshDoorKey } from './mesh-door.ts';

const MACHINE = board(1);
const KEY = meshDoorKey(manage, MACHINE);

test('a listener stays where its bridge and its address do', () => {
  expect(meshDoorKey(withMtu(manage, 1400), MACHINE)).toBe(KEY);
});

test.each([
  { name: 'office' },
  { key: '457' },
  { vni: 457 },
  { prefix: 'fd42:2345:1234:beef::/64' },
])('a node has another address in a mesh with %o, and a listener there', (change) => {
  expect(meshDoorKey(manageWith(change), MACHINE)).not.toBe(KEY);
});
