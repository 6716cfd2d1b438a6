/**
 * The checks on faults that a test cannot cause on a shared machine: in its only neighbour table, its Node.js, its
 * kernel.
 */
import { describe, expect, test } from 'vitest';
import { board, manage, member as memberOf } from '../../../test/kit/networks.ts';
import { portLink } from '../../../test/kit/trace-cluster.ts';
import type { Neighbour } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { Member } from '../../model/network/member.ts';
import { parseChains } from '../firewall/chain.ts';
import { findings } from './doctor.ts';
import type { Evidence } from './evidence.ts';

function member(number: number): Member {
  return memberOf(manage, board(number), `10.11.${number >> 8}.${number & 255}`, `node${number}`);
}

function members(count: number): Member[] {
  return Array.from({ length: count }, (_, index) => member(index + 1));
}

const eth0 = portLink(2, 'eth0', {
  addressMode: 'eui64',
  forwards: false,
  conf: { disableIpv6: 0, acceptRa: 1, autoconf: 1, acceptRedirects: 1, acceptRedirects4: 1, arpIgnore: 0 },
});

const SETTINGS: Readonly<Record<string, string>> = {
  'net/ipv4/neigh/default/gc_thresh2': '512',
  'net/ipv4/neigh/default/gc_thresh3': '1024',
  'net/ipv6/neigh/default/gc_thresh3': '1024',
  'net/ipv4/conf/eth0/forwarding': '1',
  'net/ipv4/conf/eth1/forwarding': '1',
};

function view(of: readonly Member[]): Evidence['networks'] {
  const self = member(2);
  return [{ network: manage, state: { phase: 'ready' }, self, members: of, host0Answers: true }];
}

const WELL: Evidence = {
  role: 'node',
  networks: view(members(3)),
  links: [eth0],
  ports: [],
  neighbours: [],
  underlay: [{ link: eth0, ipv4: member(2).ipv4 }],
  setting: (name) => SETTINGS[name],
  counters: { reversePathDrops: 0, checksumErrors: 0, fromElsewhere: 0 },
  tableFulls: { ipv4: 0, ipv6: 0 },
  chains: [],
  rivals: [],
  disk: { directory: '/var/lib/meshwork', totalBytes: 1e10, freeBytes: 5e9, totalInodes: 1e6, freeInodes: 5e5 },
  nodeVersion: '24.21.0',
  features: [{ name: 'vxlan', present: true, costs: 'This machine cannot take part in a mesh.' }],
  failures: [],
  health: [],
  paths: [{ network: manage, member: member(1), underlay: true, mesh: true, provedBytes: 1380 }],
  otherHost0s: [],
  knownHost0: ['10.11.0.250' as Ipv4],
  sharedAddresses: [],
  aheadOfHost0Ms: 400,
};

/** The findings as lines: `severity check: saw`. */
function complaints(fault: Partial<Evidence>): string[] {
  return findings({ ...WELL, ...fault }).map(({ severity, check, saw }) => `${severity} ${check}: ${saw}`);
}

test('a healthy machine has no finding', () => {
  expect(complaints({})).toEqual([]);
});

test('a chain that drops by default, and does not know the bridge of a routed network', () => {
  const docker = parseChains(`table ip filter {
	chain DOCKER-USER {
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		jump DOCKER-USER
	}
	chain INPUT {
		type filter hook input priority filter; policy drop;
		iifname "lo" accept
	}
}`);
  const lan = { bridge: 'br1001', families: ['ipv4'], isRouted: true } as const;
  const found = findings({ ...WELL, chains: docker, hosted: [lan] });
  expect(found.map(({ check }) => check)).toEqual(['routed-networks', 'served-networks']);
  expect(found[0]?.remedy).toContain('`nft insert rule ip filter DOCKER-USER iifname "br1001" accept`');
  expect(findings({ ...WELL, chains: docker, hosted: [{ ...lan, families: ['ipv6'] }] })).toEqual([]);
  expect(findings({ ...WELL, chains: docker, hosted: [{ ...lan, isRouted: false }] })).toHaveLength(1);
  const known = docker.map((chain) => ({ ...chain, rules: [...chain.rules, 'iifname "br1001" accept'] }));
  expect(findings({ ...WELL, chains: known, hosted: [lan] })).toEqual([]);
});

describe('virtual machines', () => {
  const GIB = 1024 ** 3;
  const guests: NonNullable<Evidence['guests']> = {
    emulator: { accelerator: 'kvm' },
    memory: { totalBytes: 8 * GIB, availableBytes: 4 * GIB },
    openBytes: 3 * GIB,
    processor: { virtualization: true, isGuest: false, vendor: 'amd' },
    hasKvmDevice: true,
    cache: {
      directory: '/disks',
      limitBytes: 20 * GIB,
      usedBytes: 19 * GIB,
      unusedBytes: 9 * GIB,
      freeBytes: 90 * GIB,
    },
  };
  const tcg = { emulator: { accelerator: 'tcg', why: 'This machine has no /dev/kvm.' }, hasKvmDevice: false } as const;
  const found = (more: Partial<typeof guests>) =>
    findings({ ...WELL, guests: { ...guests, ...more } }).map(({ check, remedy }) => [check, remedy]);

  test('with KVM, memory and room for images have no finding', () => {
    expect(found({})).toEqual([]);
  });

  test.each([
    ['the module is not loaded', {}, /modprobe kvm_amd/],
    ['the firmware has it off', { virtualization: false }, /firmware/],
    ['the machine is a guest', { virtualization: false, isGuest: true }, /nested/],
  ])('that are emulated, since %s', (_why, processor, remedy) => {
    expect(found({ ...tcg, processor: { ...guests.processor, ...processor } })).toEqual([
      ['kvm', expect.stringMatching(remedy)],
    ]);
  });

  test('that are emulated, since KVM opens and hangs inside another virtual machine', () => {
    const processor = { ...guests.processor, isGuest: true };
    expect(found({ ...tcg, hasKvmDevice: true, processor })).toEqual([['kvm', expect.stringMatching(/nested/)]]);
  });

  test('that were promised more memory than is left', () => {
    expect(found({ openBytes: 5 * GIB })).toEqual([['guest-memory', expect.stringContaining('Stop or move')]]);
  });

  test('whose images fill the cache, or its disk', () => {
    const { cache } = guests;
    if (cache === undefined) throw new TypeError('there is a cache');
    expect(found({ cache: { ...cache, unusedBytes: 0 } })).toEqual([
      ['image-cache', expect.stringContaining('--disk-cache')],
    ]);
    expect(found({ cache: { ...cache, unusedBytes: GIB, freeBytes: 0 } })).toEqual([
      ['image-cache', expect.stringContaining('du -xh')],
    ]);
  });
});

describe('the neighbour table', () => {
  test.each([
    [512, undefined, undefined],
    [600, 'warning', '2048'],
    [1500, 'error', '4096'],
  ])('for %i members', (count, severity, wanted) => {
    const found = findings({ ...WELL, networks: view(members(count)) });
    expect(found.map((finding) => finding.severity)).toEqual(severity === undefined ? [] : [severity]);
    expect(found[0]?.fix?.[0]?.value).toBe(wanted);
  });
});

describe('the IPv6 neighbour table', () => {
  function neighbours(count: number, more: Partial<Neighbour>): Neighbour[] {
    return Array.from({ length: count }, (_, index) => ({
      family: 6,
      link: eth0.index,
      address: `fd42::${index.toString(16)}` as Ipv6,
      state: 'stale',
      externLearn: false,
      protocol: 0,
      ...more,
    }));
  }

  test.each([
    [100, undefined],
    [600, 'warning'],
    [1000, 'error'],
  ])('with %i entries of guests', (count, severity) => {
    const found = findings({ ...WELL, neighbours: neighbours(count, {}) });
    expect(found.map((finding) => finding.severity)).toEqual(severity === undefined ? [] : [severity]);
    if (severity === undefined) return;
    expect(found[0]?.saw).toContain(`holds 1024 entries (gc_thresh3), and ${count} are used here`);
    expect(found[0]?.fix?.[0]).toEqual({ name: 'net/ipv6/neigh/default/gc_thresh3', value: '4096' });
  });

  test("Meshwork's own entries cost no place", () => {
    expect(complaints({ neighbours: neighbours(4000, { externLearn: true, state: 'permanent' }) })).toEqual([]);
  });

  test('that was full, and has its usual size', () => {
    const tableFulls = { ipv4: 0, ipv6: 7 };
    expect(complaints({ tableFulls })).toEqual([expect.stringContaining('it was full 7 times since boot')]);
    const setting = (name: string) => (name === 'net/ipv6/neigh/default/gc_thresh3' ? '4096' : SETTINGS[name]);
    expect(complaints({ tableFulls, setting })).toEqual([]);
  });
});

test('a port that takes larger packets than its network carries', () => {
  const port = { interface: 'tap0', network: manage.id, state: 'plugged' } as const;
  const ports = [
    { ...port, mtuBytes: 1500 },
    { ...port, interface: 'tap1', mtuBytes: 1380 },
    { ...port, interface: 'tap2' },
    // A NIC of the underlay on a bridge has a finding of its own, and needs its MTU.
    { ...port, interface: 'eth0', mtuBytes: 1500 },
  ];
  expect(complaints({ ports })).toEqual(['warning port-mtu: tap0 has an MTU of 1500 bytes, and manage carries 1380']);
});

test('a VXLAN device of an earlier version has no limit of entries', () => {
  const vxlan = { vni: manage.type.vni, udpPort: 4789, learning: true, df: 'inherit' } as const;
  const link = portLink(3, manage.type.device, { kind: 'vxlan', vxlan });
  expect(complaints({ links: [eth0, link] })).toEqual([
    expect.stringMatching(/^warning fdb-limit: vxlan456 was made by/),
  ]);
  expect(complaints({ links: [eth0, { ...link, vxlan: { ...vxlan, entriesMax: 16_386 } }] })).toEqual([]);
});

test('VXLAN packets from another NIC than their sender is on', () => {
  expect(complaints({ counters: { ...WELL.counters, fromElsewhere: 12 } })).toEqual([
    'warning wrong-nic: 12 VXLAN packets came in by another NIC than the one that the route to their sender uses, and were dropped, in the last two minutes',
  ]);
});

test('blocked VXLAN packets explain an unreachable host0', () => {
  const [path] = WELL.paths;
  if (path === undefined) throw new TypeError('there is a path');
  const unreachable = {
    code: 'MESH_HOST0_UNREACHABLE',
    severity: 'error',
    object: 'manage',
    message: 'host0 does not answer',
    remedy: 'Check it.',
  } as const;
  expect(complaints({ paths: [{ ...path, mesh: false, provedBytes: 0 }], health: [unreachable] })).toEqual([
    'error udp-4789: no answer in manage from node1 (10.11.0.1), while the same machines answer on the underlay',
  ]);
  expect(complaints({ health: [unreachable] })).toEqual([
    'error health: host0 does not answer [MESH_HOST0_UNREACHABLE]',
  ]);
});

describe('members that do not answer at all', () => {
  const path = (number: number, more: Partial<Evidence['paths'][number]> = {}): Evidence['paths'][number] => ({
    network: manage,
    member: number === 0 ? memberOf(manage, 'host0', '10.11.0.250', 'host0') : member(number),
    underlay: false,
    mesh: false,
    provedBytes: 0,
    ...more,
  });
  const host0 = path(0, { underlay: true, mesh: true, provedBytes: 1380 });
  const remedyOf = (fault: Partial<Evidence>) => findings({ ...WELL, ...fault })[0]?.remedy;

  test('while host0 answers, it is an error', () => {
    const paths = [host0, path(1), path(3)];
    expect(complaints({ paths })).toEqual([
      'error silent-member: no answer from node1 (10.11.0.1), node3 (10.11.0.3) to 2 pings each, neither on the underlay nor in manage; host0 answers, and lists them',
    ]);
    expect(remedyOf({ paths })).toContain('keeps its ports apart');
    expect(complaints({ role: 'host0', paths: [path(1)] })).toEqual([expect.stringMatching(/^error silent-member/)]);
  });

  test('behind host0 they cannot be pinged on the underlay', () => {
    const paths = [host0, path(1, { via: '10.11.0.250' as Ipv4 })];
    expect(remedyOf({ paths })).toContain('host0 forwards nothing but VXLAN');
    expect(remedyOf({ paths })).toContain('`mesh trace manage host0 node1`');
  });

  test('with host0, they are a warning, and host0 is told of once', () => {
    const away = {
      code: 'MESH_HOST0_UNREACHABLE',
      severity: 'warning',
      object: 'manage',
      message: 'host0 does not answer',
      remedy: 'Check it.',
    } as const;
    expect(complaints({ paths: [path(0), path(1)], health: [away] })).toEqual([
      'warning silent-member: no answer from node1 (10.11.0.1) to 2 pings each, neither on the underlay nor in manage; host0 is silent, too',
      'warning health: host0 does not answer [MESH_HOST0_UNREACHABLE]',
    ]);
    expect(complaints({ paths: [path(0)], health: [away] })).toEqual([expect.stringMatching(/^warning health/)]);
  });

  test('while this machine’s own card is down, only the card is named', () => {
    const down = {
      code: 'MESH_UNDERLAY_UNFIT',
      severity: 'error',
      object: 'eth0',
      message: '10.11.0.2 gets no packets: eth0 is down',
      remedy: 'Take it up: `ip link set eth0 up`.',
    } as const;
    const paths = [path(0), path(1), path(3, { underlay: true })];
    expect(complaints({ paths, health: [down] })).toEqual([
      'error own-underlay: 10.11.0.2 gets no packets: eth0 is down',
    ]);
  });

  test('a firewall of this machine that drops their packets is named', () => {
    const chains = parseChains(
      'table ip edge {\nchain in {\ntype filter hook input priority 0; policy drop;\nip saddr 10.11.0.250 accept\n}\n}',
    );
    expect(remedyOf({ paths: [host0, path(1)], chains })).toContain(
      '`nft insert rule ip edge in udp dport 4789 accept`',
    );
    expect(complaints({ paths: [host0], chains })).toEqual([]);
  });
});

test('a chain of another program that drops what host0 forwards', () => {
  const underlay = [eth0, { ...eth0, index: 3, name: 'eth1' }].map((link) => ({ link, ipv4: member(1).ipv4 }));
  const docker = (rule: string) =>
    parseChains(`table ip filter {
      chain FORWARD {
        type filter hook forward priority 0; policy drop;
        counter packets 1 bytes 2 jump DOCKER-USER
      }
      chain DOCKER-USER {
        ${rule}
      }
    }`);
  const chains = docker('return');
  expect(complaints({ role: 'host0', underlay, chains })).toEqual([
    'error forward-filter: ip filter FORWARD: policy drop drops VXLAN packets that host0 forwards from eth0 to eth1, from eth1 to eth0',
  ]);
  const [finding] = findings({ ...WELL, role: 'host0', underlay, chains });
  const rule = /`nft insert rule ip filter DOCKER-USER ([^`]*)`/.exec(finding?.remedy ?? '')?.[1];
  expect(complaints({ role: 'host0', underlay, chains: docker(rule ?? '') })).toEqual([]);
  expect(complaints({ underlay, chains })).toEqual([]);
});

test('host0 with several segments must forward', () => {
  const underlay = [eth0, { ...eth0, index: 3, name: 'eth1' }].map((link) => ({ link, ipv4: member(1).ipv4 }));
  expect(complaints({ role: 'host0', underlay })).toEqual([]);
  const setting = (name: string) => (name === 'net/ipv4/conf/eth1/forwarding' ? '0' : SETTINGS[name]);
  expect(complaints({ role: 'host0', underlay, setting })).toEqual([
    'error ip-forward: IPv4 forwarding is off on eth1, one of 2 segments of host0',
  ]);
});

test('two members, or a member and this machine, with one Ethernet address', () => {
  const neighbour = (ipv4: Ipv4, mac: Mac): Neighbour => ({
    family: 4,
    link: eth0.index,
    address: ipv4,
    mac,
    state: 'reachable',
    externLearn: false,
    protocol: 0,
  });
  const [one, three] = [member(1).ipv4, member(3).ipv4];
  const mac = '06:00:00:00:00:09' as Mac;
  expect(complaints({ neighbours: [neighbour(one, mac), neighbour(three, mac)] })).toEqual([
    'error double-mac: 10.11.0.1 and 10.11.0.3 have the same Ethernet address 06:00:00:00:00:09 on the segment behind eth0',
  ]);
  expect(complaints({ neighbours: [neighbour(one, eth0.mac)] })).toEqual([
    'error double-mac: this machine and 10.11.0.1 have the same Ethernet address 06:00:00:00:00:02 on the segment behind eth0',
  ]);
  // A router that answers for several machines that are not members is no fault.
  expect(complaints({ neighbours: [neighbour('10.11.9.8' as Ipv4, mac), neighbour(one, mac)] })).toEqual([]);
});

test('two network cards with one IPv4 address', () => {
  const macs = ['06:00:00:00:00:08', '06:00:00:00:00:09'] as Mac[];
  expect(
    complaints({
      sharedAddresses: [
        { ipv4: member(2).ipv4, device: 'eth0', macs },
        { ipv4: member(1).ipv4, device: 'eth0', macs },
      ],
    }),
  ).toEqual([
    'error double-address: 2 network cards on the segment behind eth0 have the address of this machine, 10.11.0.2: 06:00:00:00:00:08 and 06:00:00:00:00:09',
    'error double-address: 2 network cards on the segment behind eth0 have the address of node1, 10.11.0.1: 06:00:00:00:00:08 and 06:00:00:00:00:09',
  ]);
});

test.each([
  [4_900, []],
  [3_600_000, ["warning clock: this machine's clock is 3600 s ahead of host0's"]],
  [-90_000, ["warning clock: this machine's clock is 90 s behind host0's"]],
  [undefined, []],
])('a clock that is %s ms ahead', (aheadOfHost0Ms, expected) => {
  expect(complaints({ aheadOfHost0Ms })).toEqual(expected);
});

describe('another address that answers as host0', () => {
  const told = memberOf(manage, 'host0', '10.11.0.250', 'host0');
  const other = { network: manage, ipv4: '10.11.0.1' as Ipv4 };
  const path = (underlay: boolean, mesh: boolean) => ({
    network: manage,
    member: told,
    underlay,
    mesh,
    provedBytes: mesh ? 1380 : 0,
  });
  const away = {
    code: 'MESH_HOST0_UNREACHABLE',
    severity: 'warning',
    object: 'manage',
    message: 'host0 does not answer',
    remedy: 'Check it.',
  } as const;

  test.each([
    [
      'of the machine that this node was told of',
      true,
      [true, false],
      'host0-address: host0 answers in manage from 10.11.0.1, and this node was told that host0 is at 10.11.0.250',
    ],
    [
      'of another card, while the address that this node was told answers pings',
      false,
      [true, false],
      'host0-address: 10.11.0.1 answers as host0 of manage, and 10.11.0.250, where',
    ],
    ['of another machine', false, [true, true], 'two-host0s: 10.11.0.1 answers as host0 of manage too'],
    [
      'of another machine, while host0 is away',
      false,
      [false, false],
      'two-host0s: 10.11.0.1 answers as host0 of manage too',
    ],
    ['of the same machine, which answers from both', true, [true, true], undefined],
  ] as const)('%s', (_name, isKnownMachine, [underlay, mesh], expected) => {
    const health = mesh ? [] : [away];
    const found = complaints({ otherHost0s: [{ ...other, isKnownMachine }], paths: [path(underlay, mesh)], health });
    const errors = found.filter((line) => line.startsWith('error'));
    expect(errors).toEqual(expected === undefined ? [] : [expect.stringContaining(`error ${expected}`)]);
    if (expected?.startsWith('host0-address')) expect(found).toEqual(errors);
  });

  test('accuses no firewall of the silence of members, which drop this node once host0 has taken it off the list', () => {
    const dropped = { network: manage, member: member(3), underlay: true, mesh: false, provedBytes: 0 };
    const otherHost0s = [{ ...other, isKnownMachine: true }];
    expect(complaints({ otherHost0s, paths: [path(true, false), dropped], health: [away] })).toEqual([
      expect.stringMatching('^error host0-address: '),
    ]);
    expect(complaints({ paths: [path(true, true), dropped] })).toEqual([expect.stringMatching('^error udp-4789: ')]);
  });
});

test('a node that host0 refuses gets the refusal as its finding, and no accusation of a firewall', () => {
  const refusal = {
    code: 'MESH_MEMBER_NOT_ADMITTED',
    severity: 'warning',
    object: 'manage',
    message: 'the token is wrong',
    remedy: 'Give it the right one.',
  } as const;
  const dropped = { network: manage, member: member(3), underlay: true, mesh: false, provedBytes: 0 };
  const fault = { health: [refusal], paths: [...WELL.paths, dropped] };
  expect(complaints(fault)).toEqual(['warning health: the token is wrong [MESH_MEMBER_NOT_ADMITTED]']);
  expect(complaints({ ...fault, role: 'host0' })).toContainEqual(expect.stringMatching('^error udp-4789: '));
});

test('a missing feature is reported with its consequence', () => {
  const features = [
    { name: 'vxlan', present: false, costs: 'This machine cannot take part in a mesh.', why: 'EOPNOTSUPP' },
    { name: 'br_netfilter', present: false, costs: 'Nothing.' },
  ];
  expect(findings({ ...WELL, features })).toMatchObject([
    { check: 'kernel-features', saw: 'this kernel cannot do «vxlan»: EOPNOTSUPP', matters: features[0]?.costs },
  ]);
});

test('the program that changes a device of Meshwork is named, with the setting that stops it', () => {
  const error = new MeshError('MESH_KERNEL_NOT_KEPT', 'ip link set br456 address …: it does not stay');
  const failures = [{ item: 'bridge:mesh-456', error }];
  const remedies = [['NetworkManager'], ['systemd-network', 'dhcpcd'], []].map(
    (rivals) => findings({ ...WELL, failures, rivals })[0]?.remedy,
  );
  expect(remedies[0]).toContain('`unmanaged-devices=interface-name:br456;interface-name:vxlan456`');
  expect(remedies[1]).toContain('Unmanaged=yes');
  expect(remedies[2]).toContain('a udev rule or a script');
});

test('a disk without free bytes or inodes', () => {
  expect(complaints({ disk: { ...WELL.disk, freeBytes: 4096 } })).toEqual([
    'warning disk: 4 kB of 9765625 kB are free where /var/lib/meshwork is',
  ]);
  expect(complaints({ disk: { ...WELL.disk, freeInodes: 0 } })).toEqual([
    'error disk: 0 of 1000000 inodes are free where /var/lib/meshwork is',
  ]);
  // btrfs counts no inodes.
  expect(complaints({ disk: { ...WELL.disk, totalInodes: 0, freeInodes: 0 } })).toEqual([]);
});

test('an old Node.js', () => {
  expect(complaints({ nodeVersion: '20.19.2' })).toEqual(['warning node: the agent runs on Node.js 20.19.2']);
});

test('a finding of the agent or the daemon keeps its code and its message', () => {
  const found = {
    code: 'MESH_DISK_REFUSED',
    severity: 'error',
    object: '/var',
    message: 'no room',
    remedy: '',
  } as const;
  const matters = 'Something does not work now.';
  expect(findings({ ...WELL, health: [found] })).toEqual([
    { ...found, check: 'health', saw: 'no room [MESH_DISK_REFUSED]', matters },
  ]);
  const [old] = findings({ ...WELL, nodeVersion: '20.19.2' });
  expect(old).toMatchObject({ code: 'MESH_MACHINE_UNFIT', message: old?.saw });
});

test('errors come first', () => {
  const found = findings({ ...WELL, nodeVersion: '20.19.2', disk: { ...WELL.disk, freeBytes: 0 } });
  expect(found.map(({ severity }) => severity)).toEqual(['error', 'warning']);
});
