import { describe, expect, test } from 'vitest';
import type { Mac } from '../../model/address/mac.ts';
import { type BridgeWish, plainLinkName } from './bridge-wish.ts';
import { bridgeInterfaces, sourcePatterns } from './interfaces.ts';

const OWN: BridgeWish = { card: 'eth0', cardAfter: 'eth0', bridge: 'br0', mac: '02:00:00:00:00:01' as Mac };
const KEPT: BridgeWish = { ...OWN, cardAfter: 'peth0', bridge: 'eth0' };
const MAIN = '/etc/network/interfaces';
const DHCP = '# A card.\nauto lo eth0\niface eth0 inet dhcp\n';

function only(text: string, wish: BridgeWish): string {
  const steps = bridgeInterfaces([{ path: MAIN, text }], wish);
  expect(steps).toHaveLength(1);
  return steps?.[0]?.text ?? '';
}

test('a card that DHCP configures: the bridge gets the stanza, and the lines that make it', () => {
  expect(only(DHCP, OWN)).toBe(`# A card.
auto lo br0
iface br0 inet dhcp
    pre-up ip link show dev br0 >/dev/null 2>&1 || ip link add name br0 type bridge
    pre-up ip link set dev br0 address 02:00:00:00:00:01
    pre-up ip link set dev eth0 addrgenmode none || true
    pre-up ip link set dev eth0 master br0
    pre-up ip link set dev eth0 up
    post-down ip link delete dev br0 2>/dev/null || true
`);
});

test('the name of the card kept: the card is renamed first, and nothing else changes', () => {
  const text = only(DHCP, KEPT);
  expect(
    text
      .split('\n')
      .filter((line) => !/^ {4}(?:pre-up|post-down) /.test(line))
      .join('\n'),
  ).toBe(DHCP);
  expect(text).toContain('|| ip link set dev eth0 name peth0\n');
  expect(text).toContain('pre-up ip link set dev peth0 master eth0\n');
});

test('an MTU that is not that of Ethernet is one of the card and of the bridge', () => {
  const text = only(DHCP, { ...OWN, mtuBytes: 9000 });
  expect(text).toContain('pre-up ip link set dev eth0 mtu 9000\n');
  expect(text).toContain('pre-up ip link set dev br0 mtu 9000\n');
});

test('options that name the card name the bridge; longer words stay', () => {
  const stanza = 'iface eth0 inet manual\n  up ip route add default dev eth0\n  up echo eth01 >/run/eth0/x\n';
  expect(only(stanza, OWN)).toContain('  up ip route add default dev br0\n  up echo eth01 >/run/br0/x\n');
});

test('a card that comes by hotplug: its bridge is started with the machine', () => {
  expect(only('allow-hotplug eth0 eth1\niface eth0 inet dhcp\n', OWN)).toMatch(/^auto br0\nallow-hotplug eth1\n/);
  expect(only('allow-hotplug eth0\niface eth0 inet dhcp\n', OWN)).toMatch(/^auto br0\niface br0/);
});

describe('a card in two files', () => {
  const files = [
    { path: MAIN, text: 'auto lo eth0\nsource interfaces.d/*\n' },
    { path: '/etc/network/interfaces.d/eth0', text: 'iface eth0 inet dhcp\n' },
  ];

  test('each write leaves files that start the card or the bridge', () => {
    const steps = bridgeInterfaces(files, OWN) ?? [];
    const now = new Map(files.map(({ path, text }) => [path, text]));
    const started = steps.map(({ path, text = '' }) => {
      now.set(path, text);
      const all = [...now.values()].join('\n');
      const [, name = ''] = /^auto lo (\S+)$/m.exec(all) ?? [];
      return [name, new RegExp(`^iface ${name} inet dhcp$`, 'm').test(all)];
    });
    expect(started).toEqual([
      ['eth0', true],
      ['br0', true],
      ['br0', true],
    ]);
    expect(now.get('/etc/network/interfaces.d/eth0')).not.toContain('iface eth0');
  });

  test('under the name of the card only the file with the stanza changes', () => {
    expect(bridgeInterfaces(files, KEPT)?.map(({ path }) => path)).toEqual(['/etc/network/interfaces.d/eth0']);
  });
});

test('files that do not configure the card are left to another tool', () => {
  expect(bridgeInterfaces([{ path: MAIN, text: 'auto lo\niface eth1 inet dhcp\n' }], OWN)).toBeUndefined();
});

test.each([
  ['auto /eth*\niface eth0 inet dhcp\n', 'has patterns of names'],
  ['mapping eth0\n  script /x\niface eth0 inet dhcp\n', 'has `mapping eth0`'],
  ['iface eth0 inet dhcp\niface eth0.5 inet dhcp\n', 'configures eth0.5'],
  ['iface eth0 inet dhcp\n  bridge_ports eth1\n', 'makes a bridge of eth0 already'],
  ['iface eth0 inet dhcp\niface br7 inet manual\n  bridge_ports eth0\n', 'names eth0 in `bridge_ports eth0` too'],
])('%j is refused', (text, why) => {
  expect(() => bridgeInterfaces([{ path: MAIN, text }], OWN)).toThrow(
    expect.objectContaining({ code: 'MESH_NIC_UNFIT', message: expect.stringContaining(why) }),
  );
});

test.each(['eth0; reboot', '-eth0', 'eth0\n', 'a/b', 'sixteenbyteslong', ''])('%j is no name for a file', (name) => {
  expect(() => plainLinkName(name)).toThrow(expect.objectContaining({ code: 'MESH_USAGE' }));
});

test('the files that a file names', () => {
  expect(sourcePatterns('source /a/*\nsource-directory b\n# source c\n')).toEqual([
    { pattern: '/a/*', directory: false },
    { pattern: 'b', directory: true },
  ]);
});
