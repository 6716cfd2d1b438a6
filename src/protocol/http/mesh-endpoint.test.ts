/** When a change of a network moves the endpoint of a machine in it. */
import { expect, test } from 'vitest';
import { board, manage, manageWith, withMtu } from '../../../test/kit/networks.ts';
import { meshEndpointKey } from './mesh-endpoint.ts';

const MACHINE = board(1);
const KEY = meshEndpointKey(manage, MACHINE);

test('the key stays the same while bridge and address do', () => {
  expect(meshEndpointKey(withMtu(manage, 1400), MACHINE)).toBe(KEY);
});

test.each([
  { name: 'office' },
  { key: '457' },
  { vni: 457 },
  { prefix: 'fd42:2345:1234:beef::/64' },
])('another mesh address or bridge is another key: %o', (change) => {
  expect(meshEndpointKey(manageWith(change), MACHINE)).not.toBe(KEY);
});
