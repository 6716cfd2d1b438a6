/** Which segments nodes can be on, from host0's links and addresses. */
import { describe, expect, test } from 'vitest';
import { HOST0_DEFAULTS } from '../../formats/host0/host0-conf.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { NicLink } from './boot-nic.ts';
import type { LinkAddress } from './nic-address.ts';
import { type SegmentSettings, underlaySegments } from './segments.ts';

function link(index: number, name: string, extra: Partial<NicLink> = {}): NicLink {
  const mac = '02:00:00:00:00:01' as Mac;
  return { index, name, mac, kind: '', up: true, running: true, loopback: false, master: 0, alias: '', ...extra };
}

function ipv4(index: number, address: string, length = 24, scope: LinkAddress['scope'] = 'global'): LinkAddress {
  return { family: 4, link: index, address: address as Ipv4, length, scope };
}

const links = [
  link(1, 'lo', { loopback: true }),
  link(3, 'eth1'),
  link(2, 'eth0'),
  link(4, 'eth2', { up: false }),
  link(5, 'eth3', { master: 6 }),
  link(6, 'br0', { kind: 'bridge' }),
  link(7, 'tap0', { kind: 'tun' }),
  link(8, 'vxlan456', { kind: 'vxlan' }),
  link(9, 'mwport', { kind: 'veth', alias: 'meshwork:port:mesh-456' }),
];
const addresses = [
  ...links.map(({ index }) => ipv4(index, `10.${index}.0.1`)),
  ipv4(2, '10.2.0.9'),
  ipv4(2, '192.168.7.1', 25),
  ipv4(2, '10.99.0.1', 32),
  ipv4(3, '169.254.1.1', 16, 'link'),
];

function segmentsOf(settings: Partial<SegmentSettings> = {}, groups: readonly (readonly string[])[] = []) {
  return underlaySegments({ links, addresses, routes: [] }, { ...HOST0_DEFAULTS, ...settings }, groups).segments;
}

test('each NIC that is up, or its bridge, is one segment for each subnet, in the order of the ifindexes', () => {
  expect(segmentsOf()).toEqual([
    { device: 'eth0', ipv4: '10.2.0.1', subnet: '10.2.0.0/24' },
    { device: 'eth0', ipv4: '192.168.7.1', subnet: '192.168.7.0/25' },
    { device: 'eth1', ipv4: '10.3.0.1', subnet: '10.3.0.0/24' },
    { device: 'br0', ipv4: '10.6.0.1', subnet: '10.6.0.0/24' },
  ]);
});

test('only the devices that the settings name are taken, whatever their kind', () => {
  const devices = segmentsOf({ segmentNics: ['br0', 'eth1', 'nothing'] }).map(({ device }) => device);
  expect(devices).toEqual(['eth1', 'br0']);
});

test('NICs on one physical segment are named with the one that has the subnet', () => {
  const found = segmentsOf({ joinGroups: [['eth1', 'eth9']] }, [
    ['eth0', 'eth2'],
    ['br0', 'eth3'],
  ]);
  expect(found.map(({ device, also }) => [device, also])).toEqual([
    ['eth0', ['eth2']],
    ['eth0', ['eth2']],
    ['eth1', ['eth9']],
    ['br0', undefined],
  ]);
});

describe('a NIC with the default route', () => {
  /** `eth0` has the default route, and `eth1` is beside it. */
  function judge({
    beside = {},
    settings = {},
    uplink = '10.2.0.5',
  }: {
    readonly beside?: Partial<NicLink> | undefined;
    readonly settings?: Partial<SegmentSettings>;
    readonly uplink?: string;
  }) {
    const routes = [{ family: 4, destination: '0.0.0.0/0', link: 2 }] as const;
    const nics = [link(2, 'eth0'), link(3, 'eth1', beside)];
    const { segments, joins, findings } = underlaySegments(
      { links: nics, addresses: [ipv4(2, uplink), ipv4(3, '10.3.0.1')], routes },
      { ...HOST0_DEFAULTS, ...settings },
      [],
    );
    return {
      segments: segments.map(({ device }) => device),
      why: joins.find(({ device }) => device === 'eth0')?.why,
      remedies: findings.map(({ remedy }) => remedy).join(),
    };
  }

  test('is no segment where host0 has another one, and that is well', () => {
    expect(judge({})).toEqual({ segments: ['eth1'], why: 'default route', remedies: '' });
  });

  test.each([
    ['segment_ports', { segmentNics: ['eth0', 'eth1'] }],
    ['boot_mode', { bootModes: [{ port: 'eth0', mode: 'auto' }] }],
    ['manual_subnets', { manualSubnets: [{ port: 'eth0', subnet: '10.2.0.0/24' as Ipv4Cidr }] }],
    ['join_groups', { joinGroups: [['eth0', 'eth5']] }],
  ] satisfies [string, Partial<SegmentSettings>][])('is a segment when %s names it', (_key, settings) => {
    expect(judge({ settings })).toEqual({ segments: ['eth0', 'eth1'], why: 'named', remedies: '' });
  });

  test('is told where machines boot on it that cannot join', () => {
    const { segments, remedies } = judge({ settings: { boot: 'auto' } });
    expect(segments).toEqual(['eth1']);
    expect(remedies).toContain('`boot_mode="eth0=off"` if it only leads to other networks, or `boot_mode="eth0=auto"`');
    expect(judge({ settings: { boot: 'auto', bootModes: [{ port: 'eth0', mode: 'off' }] } })).toEqual({
      segments: ['eth1'],
      why: 'off',
      remedies: '',
    });
  });

  test("that is host0's only one with a cable is a segment with private addresses, and the line to write is told", () => {
    const without = { up: false, running: false };
    const alone = judge({ beside: without });
    expect(alone).toMatchObject({ segments: ['eth0'], why: 'only NIC' });
    expect(alone.remedies).toContain('`segment_ports="eth0"` in host0.conf, and restart host0');
    expect(judge({ beside: without, uplink: '192.0.2.5' })).toEqual({
      segments: [],
      why: 'default route',
      remedies: '',
    });
    // host0 sets up all NICs when it boots machines: which have a cable is known then.
    expect(judge({ beside: without, settings: { boot: 'auto' } })).toMatchObject({
      segments: [],
      why: 'default route',
    });
    expect(judge({ beside: { running: false }, settings: { boot: 'auto' } }).segments).toEqual(['eth0', 'eth1']);
  });
});

test('a NIC that is off is a segment only in segment_ports', () => {
  const bootModes = [{ port: 'eth1', mode: 'off' }] as const;
  expect(segmentsOf({ bootModes }).map(({ device }) => device)).not.toContain('eth1');
  expect(segmentsOf({ bootModes, segmentNics: ['eth1'] }).map(({ device }) => device)).toEqual(['eth1']);
});

test('a NIC whose name rules cannot hold is no segment, and is told', () => {
  const { segments, findings } = underlaySegments(
    { links: [link(2, 'eth0"; drop')], addresses, routes: [] },
    { ...HOST0_DEFAULTS, segmentNics: ['eth0"; drop'] },
    [],
  );
  expect(segments).toEqual([]);
  expect(findings[0]?.message).toContain('nft cannot hold this name');
});
