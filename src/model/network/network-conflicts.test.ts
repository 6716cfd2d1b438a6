/** Which networks cannot be side by side. */
import { expect, test } from 'vitest';
import { manage, mesh, storeNetwork } from '../../../test/kit/networks.ts';
import type { Network } from './network.ts';
import { ClaimBook, conflictError, judgeNetworks } from './network-conflicts.ts';
import type { Vni } from './types/vxlan.ts';

const blue = storeNetwork('blue', 0xff01);
const vxlan = blue.type.kind === 'vxlan' ? blue.type : undefined;

test('networks that share nothing are side by side', () => {
  const networks = [manage, mesh('guests', 500), blue, storeNetwork('red', 0xff02)];
  expect(judgeNetworks(networks)).toEqual({ accepted: networks, conflicts: [] });
});

const green = storeNetwork('green', 0xff03);
test.each<[string, Network, string]>([
  ['its number', { ...green, number: blue.number }, 'number 65281 of green (number 0xff01, from store)'],
  ['its name', { ...green, name: 'blue' }, 'name blue of blue (number 0xff03, from store)'],
  ['its bridge', { ...green, bridge: { ...mesh('x', 1).bridge, name: 'brff01' } }, 'device brff01 of green'],
  [
    'its VNI and UDP port',
    { ...green, type: { ...mesh('x', 1).type, device: 'vxlanff03', vni: vxlan?.vni ?? (1 as Vni) } },
    'vni 65281 on UDP port 4789 of green',
  ],
])('the newcomer that has %s is refused, and the older network stays', (_, newcomer, message) => {
  const { accepted, conflicts } = judgeNetworks([blue, newcomer, manage]);
  expect(accepted).toEqual([blue, manage]);
  expect(conflicts).toHaveLength(1);
  expect(conflicts[0]).toMatchObject({ newcomer, older: blue });
  expect(conflicts.map(conflictError)[0]?.message).toContain(message);
  expect(conflicts.map(conflictError)[0]?.message).toContain('is also that of blue (number 0xff01, from store)');
});

test('one VNI on two UDP ports is two networks', () => {
  const type = { ...mesh('x', 1).type, device: 'vxlanff03', vni: vxlan?.vni ?? (1 as Vni), udpPort: 8472 };
  expect(judgeNetworks([blue, { ...green, type }]).conflicts).toEqual([]);
});

test('br1234 can be that of 1234 and of 0x1234: the error names both networks', () => {
  const [decimal, hex] = [mesh('lab', 1234), storeNetwork('blue', 0x1234)];
  const conflict = new ClaimBook<Network>([decimal]).conflictOf(hex);
  expect(conflict && conflictError(conflict)).toMatchObject({
    code: 'MESH_NET_DEVICE_TWICE',
    message: 'device br1234 of blue (number 0x1234, from store) is also that of lab (number 1234, from file)',
  });
  expect(new ClaimBook<Network>([hex]).conflictOf(decimal)).toMatchObject({ older: hex });
});

test('a network that was refused takes nothing, and a network is no rival of its own', () => {
  const [first, second] = [
    { ...green, name: 'blue' },
    { ...storeNetwork('red', 0xff04), number: green.number },
  ];
  expect(judgeNetworks([blue, first, second]).accepted).toEqual([blue, second]);
  expect(new ClaimBook([blue, green]).conflictOf({ ...blue, mtuBytes: 1400 })).toBeUndefined();
});
