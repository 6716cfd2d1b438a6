import { expect, test } from 'vitest';
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import { machineIdOf } from '../../model/machine.ts';
import { meshNetwork, type Network, type Vni } from '../../model/network/network.ts';
import { meshDoorKey } from './mesh-door.ts';

const INIT = { name: 'manage', prefix: 'fd42:2345:1234:9abc::/64' as Ipv6Cidr, vni: 456 as Vni, key: '456' };
const MACHINE = machineIdOf('board 1');
const KEY = meshDoorKey(meshNetwork(INIT), MACHINE);

test('a listener stays where its bridge and its address do', () => {
  const network = meshNetwork(INIT);
  const larger: Network = { ...network, fabric: { ...network.fabric, mtuBytes: 1400 } };
  expect(meshDoorKey(larger, MACHINE)).toBe(KEY);
});

test.each([
  { name: 'office' },
  { key: '457' },
  { vni: 457 as Vni },
  { prefix: 'fd42:2345:1234:beef::/64' as Ipv6Cidr },
])('a node has another address in a mesh with %o, and a listener there', (change) => {
  expect(meshDoorKey(meshNetwork({ ...INIT, ...change }), MACHINE)).not.toBe(KEY);
});
