/** Which links host0 boots machines on and scans, which mode its settings mean, and how heard probes become groups. */
import { expect, test } from 'vitest';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { bootNics, type NicLink, scanNics, unnamedMode, wantedMode } from './boot-nic.ts';
import type { LinkAddress } from './nic-address.ts';
import { groupsOf } from './nic-groups.ts';

function link(index: number, name: string, extra: Partial<NicLink> = {}): NicLink {
  const mac = `02:00:00:00:00:${index.toString(16).padStart(2, '0')}` as Mac;
  return { index, name, mac, kind: '', up: true, running: true, loopback: false, master: 0, alias: '', ...extra };
}

const LINKS = [
  link(1, 'lo', { loopback: true }),
  link(3, 'eth1'),
  link(2, 'eth0', { up: false }),
  link(5, 'eth3', { master: 6 }),
  link(6, 'br0', { kind: 'bridge' }),
  link(7, 'tap0', { kind: 'tun', master: 9 }),
  link(8, 'vxlan456', { kind: 'vxlan', alias: 'meshwork:vxlan:mesh-456', master: 9 }),
  link(9, 'br456', { kind: 'bridge', alias: 'meshwork:bridge:mesh-456' }),
  link(10, 'eth4', { master: 9 }),
  link(11, 'docker0', { kind: 'bridge' }),
  link(12, 'veth1a2b', { kind: 'veth', master: 11 }),
  link(13, 'cali0', { kind: 'veth' }),
  link(14, 'tap1', { kind: 'tun' }),
];
const names = (links: readonly NicLink[]) => links.map(({ name }) => name);

function at(index: number, length = 24): LinkAddress {
  return { family: 4, link: index, address: `10.${index}.0.1` as Ipv4, length, scope: 'global' };
}

test('machines boot on NICs that are in no bridge, and on bridges with a card and an address', () => {
  expect(names(bootNics(LINKS, [], undefined))).toEqual(['eth1', 'eth0']);
  expect(names(bootNics(LINKS, [at(6)], undefined))).toEqual(['eth1', 'eth0', 'br0']);
  // A /32 leads to no other host, the bridge of a mesh is Meshwork's own, and docker0 has no card.
  expect(names(bootNics(LINKS, [at(6, 32), at(9), at(11)], undefined))).toEqual(['eth1', 'eth0']);
});

test('veth ends and taps lead to guests of this machine, unless the settings name them, or there is no card at all', () => {
  expect(names(bootNics(LINKS, [at(13), at(14)], undefined))).toEqual(['eth1', 'eth0']);
  expect(names(bootNics(LINKS, [], ['cali0', 'tap1']))).toEqual(['cali0', 'tap1']);
  const inContainer = LINKS.filter(({ kind, loopback }) => kind !== '' || loopback);
  expect(names(bootNics(inContainer, [], undefined))).toEqual(['cali0']);
  const crowd = Array.from({ length: 512 }, (_, pod) => link(100 + pod, `veth${pod}`, { kind: 'veth' }));
  expect(names(bootNics([...LINKS, ...crowd], [], undefined))).toEqual(['eth1', 'eth0']);
});

test('a device that the settings name is taken as it is; a port of a bridge means the bridge', () => {
  expect(names(bootNics(LINKS, [], ['br0', 'eth1']))).toEqual(['eth1', 'br0']);
  expect(bootNics(LINKS, [], ['eth3'])).toMatchObject([{ name: 'br0', names: ['br0', 'eth3'] }]);
  expect(names(bootNics(LINKS, [], ['docker0', 'eth4', 'nothing']))).toEqual(['eth4', 'docker0']);
});

test('a scan covers foreign bridges too, with their ports, and no link of Meshwork', () => {
  const scanned = (named?: string[]) => names(scanNics(LINKS, bootNics(LINKS, [], named)));
  expect(scanned()).toEqual(['eth0', 'eth1', 'eth3', 'br0']);
  expect(scanned(['eth4'])).toEqual(['eth3', 'br0', 'eth4']);
  // In a lab or container, where a bridge has veth ends as cards, it is scanned with these.
  const inLab = [link(11, 'docker0', { kind: 'bridge' }), link(12, 'veth1a2b', { kind: 'veth', master: 11 })];
  expect(names(scanNics(inLab, []))).toEqual(['docker0', 'veth1a2b']);
});

test('of settings that contradict each other the most careful one wins', () => {
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

test('a card that no line names gets no more than a line permits whose device is absent', () => {
  const there = [{ name: 'eth1' }, { name: 'eth2' }];
  expect(unnamedMode([{ port: 'eth1', mode: 'off' }], there)).toBe('auto');
  expect(unnamedMode([{ port: 'eth9', mode: 'off' }], there)).toBe('observe');
  expect(unnamedMode([{ port: 'eth9', mode: 'observe' }], there)).toBe('observe');
  expect(unnamedMode([{ port: 'eth9', mode: 'proxy' }], there)).toBe('proxy');
  expect(unnamedMode([{ port: 'eth9', mode: 'server' }], there)).toBe('auto');
  expect(wantedMode(['eth2'], [{ port: 'eth1', mode: 'server' }], 'observe')).toBe('observe');
});

test('NICs that hear each other are one group, directly or through others', () => {
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
