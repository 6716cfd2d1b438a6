/** Which segments nodes can be on, from host0's links and addresses. */
import { describe, expect, test } from 'vitest';
import { HOST0_DEFAULTS } from '../../formats/host0/host0-conf.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { NicLink } from './boot-nic.ts';
import type { LinkRoute } from './link-subnets.ts';
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

/** Where nodes may join, by the address that each link has: `device subnet at host0's address`. */
function joinsOf(
  ipv4s: readonly LinkAddress[],
  routes: readonly LinkRoute[] = [],
  settings: Partial<SegmentSettings> = {},
  more: readonly NicLink[] = [],
) {
  const { segments, ...rest } = underlaySegments(
    { links: [...links, ...more], addresses: ipv4s, routes },
    { ...HOST0_DEFAULTS, ...settings },
    [],
  );
  return { ...rest, segments: segments.map(({ device, subnet, ipv4: own }) => `${device} ${subnet} at ${own}`) };
}

function route(destination: string, at: number, extra: Partial<LinkRoute> = {}): LinkRoute {
  return { family: 4, destination, link: at, metric: 0, ...extra };
}

describe('a link that is no bare card', () => {
  const over = [
    link(20, 'eth0.10', { kind: 'vlan', lower: 2 }),
    link(21, 'bond0', { kind: 'bond' }),
    link(22, 'team0', { kind: 'team' }),
    link(23, 'uplink0', { kind: 'macvlan', lower: 2 }),
    link(24, 'eth0.20', { kind: 'vlan', lower: 2, master: 25 }),
    link(25, 'br20', { kind: 'bridge' }),
    link(26, 'docker0', { kind: 'bridge' }),
    link(27, 'eth9', { master: 21 }),
    link(28, 'wg0', { kind: 'wireguard' }),
    link(29, 'br456', { kind: 'bridge', alias: 'meshwork:bridge:mesh-456' }),
  ];
  const all = over.map(({ index }) => ipv4(index, `10.${index}.0.1`));

  test.each([
    ['eth0.10', 20],
    ['bond0', 21],
    ['team0', 22],
    ['uplink0', 23],
    ['br20', 25],
  ])('%s is a segment when it has an address', (name, index) => {
    const own = [ipv4(index, '10.70.0.1')];
    expect(joinsOf(own, [], {}, over).segments).toEqual([`${name} 10.70.0.0/24 at 10.70.0.1`]);
    expect(joinsOf(own, [route('0.0.0.0/0', index), route('0.0.0.0/0', 3)], {}, over).segments).toEqual([]);
  });

  test('the links of containers, tunnels and bonds are none, and are named where there is no other', () => {
    const some = all.filter(({ link: index }) => [26, 28, 29].includes(index));
    expect(joinsOf(some, [], {}, over)).toMatchObject({
      segments: [],
      others: ['docker0 (10.26.0.1/24)', 'wg0 (10.28.0.1/24)'],
    });
    const segmentNics = ['wg0'];
    expect(joinsOf(some, [], { segmentNics }, over).segments).toEqual(['wg0 10.28.0.0/24 at 10.28.0.1']);
  });

  test('a macvlan is on one segment with its card, which answers for it, and a VLAN is not', () => {
    const addresses = [ipv4(20, '10.70.0.1'), ipv4(23, '10.71.0.1')];
    const tables = { links: [...links, ...over], addresses, routes: [] };
    expect(underlaySegments(tables, HOST0_DEFAULTS, []).segments.map(({ device, also }) => [device, also])).toEqual([
      ['eth0.10', undefined],
      ['uplink0', ['eth0']],
    ]);
  });

  test('a macvlan of the uplink is on the network of the uplink, and a VLAN of it is not', () => {
    const own = [ipv4(2, '192.0.2.5'), ipv4(20, '10.70.0.1'), ipv4(23, '192.0.2.6')];
    expect(joinsOf(own, [route('0.0.0.0/0', 2)], {}, over).segments).toEqual(['eth0.10 10.70.0.0/24 at 10.70.0.1']);
  });
});

describe('addresses without a subnet of their own', () => {
  test('a /31 is a segment of two machines', () => {
    expect(joinsOf([ipv4(2, '10.70.0.2', 31)]).segments).toEqual(['eth0 10.70.0.2/31 at 10.70.0.2']);
  });

  test('for a /32, the routes by the link say who is there', () => {
    const routes = [route('10.70.0.1/32', 2), route('10.70.0.0/16', 2, { source: '10.70.0.9' as Ipv4 })];
    expect(joinsOf([ipv4(2, '10.70.0.2', 32)], routes).segments).toEqual([
      'eth0 10.70.0.1/32 at 10.70.0.2',
      'eth0 10.70.0.0/16 at 10.70.0.9',
    ]);
    expect(joinsOf([ipv4(2, '10.70.0.2', 32)]).segments).toEqual([]);
  });

  test('a /32 beside another address opens nothing, and neither does a default route in two halves', () => {
    const gateway = route('10.80.0.0/16', 2);
    expect(joinsOf([ipv4(2, '10.70.0.2'), ipv4(2, '10.99.0.1', 32)], [gateway]).segments).toEqual([
      'eth0 10.70.0.0/24 at 10.70.0.2',
    ]);
    const halves = [route('0.0.0.0/1', 2), route('128.0.0.0/1', 2)];
    expect(joinsOf([ipv4(2, '192.0.2.2', 32), ipv4(3, '10.3.0.1')], [...halves, gateway]).segments).toEqual([
      'eth1 10.3.0.0/24 at 10.3.0.1',
    ]);
  });
});

describe('member_subnets', () => {
  const memberSubnets = ['10.80.1.0/24' as Ipv4Cidr];
  const own = [ipv4(2, '10.70.0.2'), ipv4(3, '10.3.0.1')];

  test('are segments at the link that the best route uses', () => {
    const routes = [route('10.80.0.0/16', 3), route('10.80.1.0/24', 2, { metric: 9 }), route('0.0.0.0/0', 3)];
    expect(joinsOf(own, routes, { memberSubnets }).segments).toEqual([
      'eth0 10.70.0.0/24 at 10.70.0.2',
      'eth0 10.80.1.0/24 at 10.70.0.2',
    ]);
  });

  test('may be behind the default route, since host0.conf names them', () => {
    const { segments } = joinsOf(own, [route('0.0.0.0/0', 3)], { memberSubnets });
    expect(segments).toEqual(['eth0 10.70.0.0/24 at 10.70.0.2', 'eth1 10.80.1.0/24 at 10.3.0.1']);
  });

  test('without a route are a finding', () => {
    expect(joinsOf(own, [], { memberSubnets }).findings).toMatchObject([
      { code: 'MESH_SEGMENT_OUTSIDE', object: '10.80.1.0/24', remedy: expect.stringContaining('ip route add') },
    ]);
  });
});

test('a line that names an absent device is a finding with the devices that are there', () => {
  const { findings } = joinsOf([], [], {
    segmentNics: ['eth1', 'enp3s0'],
    bootModes: [{ port: 'enp4s0', mode: 'off' }],
    manualSubnets: [{ port: 'enp3s0', subnet: 26 }],
    joinGroups: [['eth0', 'enp5s0']],
  });
  expect(findings.map(({ message }) => message)).toEqual([
    'host0.conf names enp3s0, which this machine does not have (segment_ports: no machine boots or joins there; manual_subnets: the subnet is given to no NIC)',
    'host0.conf names enp4s0, which this machine does not have (boot_mode: the mode holds for no NIC; a NIC that is neither named nor served already gets no more than this mode permits)',
    'host0.conf names enp5s0, which this machine does not have (join_groups: it is in no group)',
  ]);
  expect(findings[0]).toMatchObject({
    code: 'MESH_SEGMENT_ABSENT',
    remedy: expect.stringContaining('This machine has br0, eth0, eth1, eth2, eth3, tap0, vxlan456.'),
  });
});

test('a NIC with a new name: joining there is not forbidden by a mode for the old one, and not allowed by segment_ports with it', () => {
  const own = [ipv4(2, '10.70.0.1')];
  expect(joinsOf(own, [], { bootModes: [{ port: 'enp4s0', mode: 'off' }] }).segments).toEqual([
    'eth0 10.70.0.0/24 at 10.70.0.1',
  ]);
  expect(joinsOf(own, [], { segmentNics: ['enp4s0'] }).segments).toEqual([]);
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
    const routes = [{ family: 4, destination: '0.0.0.0/0', link: 2, metric: 0 }] as const;
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
    ['join_groups', { joinGroups: [['eth0', 'eth1']] }],
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
