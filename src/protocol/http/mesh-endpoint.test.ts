import { expect, test } from 'vitest';
import { board, manage, manageWith, withMtu } from '../../../test/kit/networks.ts';
import { meshEndpointKey } from './mesh-endpoint.ts';

const MACHINE = board(1);
const KEY = meshEndpointKey(manage, MACHINE);

test('a listener stays where its bridge and its address do', () => {
  expect(meshEndpointKey(withMtu(manage, 1400), MACHINE)).toBe(KEY);
});

test.each([
  { name: 'office' },
  { key: '457' },
  { vni: 457 },
  { prefix: 'fd42:2345:1234:beef::/64' },
])('a node has another address in a mesh with %o, and a listener there', (change) => {
  expect(meshEndpointKey(manageWith(change), MACHINE)).not.toBe(KEY);
});
