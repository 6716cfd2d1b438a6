import { expect, test } from 'vitest';
import type { Mac } from '../model/mac.ts';
import { type BootLink, isBootPort, scanPorts, wantedMode } from './boot-port.ts';
import { groupsOf } from './port-groups.ts';

function link(index: number, name: string, extra: Partial<BootLink> = {}): BootLink {
  const mac = `02:00:00:00:00:${index.toString(16).padStart(2, '0')}` as Mac;
  return { index, name, mac, kind: '', up: true, running: true, loopback: false, master: 0, alias: '', ...extra };
}

const LINKS = [
  link(1, 'lo', { loopback: true }),
  link(3, 'eth1', { kind: 'veth' }),
  link(2, 'eth0', { up: false }),
  link(5, 'eth3', { master: 6 }),
  link(6, 'br0', { kind: 'bridge' }),
  link(7, 'tap0', { kind: 'tun', master: 9 }),
  link(8, 'vxlan456', { kind: 'vxlan', alias: 'meshwork:vxlan:mesh-456', master: 9 }),
  link(9, 'br456', { kind: 'bridge', alias: 'meshwork:bridge:mesh-456' }),
  link(10, 'eth4', { master: 9 }),
];
const names = (links: readonly BootLink[]) => links.map(({ name }) => name);

test('machines boot on physical ports that are in no bridge, or on those that are named', () => {
  expect(names(LINKS.filter((port) => isBootPort(port, undefined)))).toEqual(['eth1', 'eth0']);
  expect(names(LINKS.filter((port) => isBootPort(port, ['br0', 'eth1'])))).toEqual(['eth1', 'br0']);
});

test('a scan looks at the bridges of others too, with their ports, and at nothing of ours', () => {
  expect(names(scanPorts(LINKS, undefined))).toEqual(['eth0', 'eth1', 'eth3', 'br0']);
});

test('settings that contradict each other mean the most careful one', () => {
  const modes = [
    { port: 'eth1', mode: 'server' },
    { port: 'eth10', mode: 'off' },
    { port: 'eth2', mode: 'proxy' },
    { port: 'eth3', mode: 'auto' },
  ] as const;
  expect(wantedMode(['eth1'], modes)).toBe('server');
  expect(wantedMode(['eth1', 'eth2'], modes)).toBe('proxy');
  expect(wantedMode(['eth1', 'eth10'], modes)).toBe('off');
  expect(wantedMode(['eth1', 'eth3'], modes)).toBe('auto');
  expect(wantedMode(['eth4'], modes)).toBe('auto');
});

test('groups are what hears each other, by whatever way', () => {
  expect(groupsOf(7, [])).toEqual([[0], [1], [2], [3], [4], [5], [6]]);
  expect(
    groupsOf(7, [
      [5, 3],
      [1, 0],
      [3, 1],
      [6, 6],
    ]),
  ).toEqual([[0, 1, 3, 5], [2], [4], [6]]);
  const chain = Array.from({ length: 5000 }, (_, i) => [i + 1, i] as const);
  expect(groupsOf(5001, chain.reverse())).toHaveLength(1);
});
