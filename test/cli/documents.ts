/** The documents that a small cluster answers with: host0 and two nodes in the meshes `manage` and `blue`, seen from node1. */
import type { Family } from '../../src/metrics/registry.ts';
import { parseIpv4, parseIpv4Cidr } from '../../src/model/address/ipv4.ts';
import { parseMac } from '../../src/model/address/mac.ts';
import { MeshError } from '../../src/model/error.ts';
import type { MachineId } from '../../src/model/machine.ts';
import type { Member } from '../../src/model/network/member.ts';
import type { Mesh } from '../../src/model/network/mesh.ts';
import type { MachineView } from '../../src/protocol/documents/machine-view.ts';
import { meshDocument } from '../../src/protocol/documents/mesh-document.ts';
import type { BootStage, TimelineView } from '../../src/protocol/documents/timeline-view.ts';
import type { TraceEnd, TraceView } from '../../src/protocol/documents/trace.ts';
import type {
  AgentStatus,
  DoctorView,
  DriftView,
  ExplainView,
  Host0Status,
  NetworkView,
  NodeView,
  PingResult,
  PlanView,
  PortView,
} from '../../src/protocol/documents/views.ts';
import type { EventLevel, MeshEvent } from '../../src/protocol/journal/event.ts';
import { manage, member, mesh } from '../kit/networks.ts';

const blue = mesh('blue', 77, { prefix: 'fd42:0:0:b::/64', key: '9' });

function membersOf(network: Mesh): readonly [Member, Member, Member] {
  return [
    member(network, 'host0', '10.11.0.1'),
    member(network, '10eff964', '10.11.0.2', 'node1'),
    member(network, '2b1c0d3e', '10.12.0.2', 'node2'),
  ];
}

export const networks: readonly NetworkView[] = [manage, blue].map((network) => {
  const members = membersOf(network);
  const [, self] = members;
  return {
    network: meshDocument(network),
    state: network === manage ? { phase: 'ready' } : { phase: 'pending', why: 'host0 has not answered in it yet' },
    self: { mac: self.mac, ipv6: self.ipv6 },
    members: network === manage ? members : [members[0], self],
    host0Answers: network === manage,
  };
});

export const nodes: readonly NodeView[] = membersOf(manage).map(({ name, ipv4, mac, ipv6 }, index) => ({
  name,
  ...(index > 0 && { machine: (index === 1 ? '10eff964' : '2b1c0d3e') as MachineId }),
  role: index === 0 ? 'host0' : 'node',
  online: index < 2,
  ipv4,
  lastSeenMsAgo: index < 2 ? 800 : 75_000,
  meshes: [{ network: manage.id, name: manage.name, mac, ipv6, state: { phase: 'ready' } }],
}));

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000 - 300).toISOString();
const MAC = parseMac('52:54:00:12:34:56');

/** A node that booted, one that is stuck, and one without a name that host0 saw before its own restart: all before now. */
export const machines = (): readonly MachineView[] => [
  {
    machine: '10eff964' as MachineId,
    name: 'node1',
    hardware: { manufacturer: 'Dell Inc.', product: 'PowerEdge R620', serial: '8V5DTR1' },
    firstSeen: ago(3 * 86_400),
    lastBoot: ago(7_200),
    boot: { state: 'member', stage: 'mesh', ageMs: 31_400 },
    cards: [{ mac: MAC, segment: ['eth1', 'eth2'] }, { mac: parseMac('52:54:00:12:34:57') }],
    inventory: {
      system: { manufacturer: 'Dell Inc.', product: 'PowerEdge R620' },
      cpu: { model: 'Intel(R) Xeon(R) CPU E5-2620 0 @ 2.00GHz', threads: 12, cores: 6 },
      memoryBytes: 33_683_849_216,
      disks: [
        { name: 'nvme0n1', bytes: 512_110_190_592, rotates: false, model: 'SAMSUNG MZVLB512HAJQ-00000' },
        { name: 'sda', bytes: 1_000_204_886_016, rotates: true },
      ],
      nics: [
        { name: 'eth0', mac: MAC, driver: 'igb' },
        { name: 'eth1', mac: parseMac('52:54:00:12:34:57') },
      ],
    },
  },
  {
    machine: '3c4d5e6f' as MachineId,
    name: 'node3',
    hardware: { product: 'Standard PC (Q35 + ICH9, 2009)', manufacturer: 'QEMU' },
    firstSeen: ago(600),
    lastBoot: ago(90),
    boot: {
      state: 'stuck',
      stage: 'overlay',
      ageMs: 90_000,
      trouble: {
        code: 'MESH_BOOT_FAILED',
        stage: 'overlay',
        cause: 'the machine reports from stage overlay: it does not unpack',
        remedy: 'Give it more memory.',
      },
    },
    cards: [{ mac: parseMac('52:54:00:00:00:03'), segment: ['eth1'] }],
  },
  {
    machine: '4d5e6f70' as MachineId,
    hardware: {},
    firstSeen: ago(86_400),
    lastBoot: ago(4_000),
    cards: [{ mac: parseMac('52:54:00:00:00:04') }],
  },
];

const BEGAN = '2026-11-21T06:12:00.000Z';
const reached = (stage: BootStage, atMs: number, detail?: string) => ({
  stage,
  atMs,
  time: new Date(Date.parse(BEGAN) + atMs).toISOString(),
  ...(detail !== undefined && { detail }),
});

/** The newest first: one boot that is stuck, and one that ended with a member. */
export const boots: readonly TimelineView[] = [
  {
    mac: parseMac('52:54:00:00:00:03'),
    device: 'eth1',
    machine: '3c4d5e6f' as MachineId,
    name: 'node3',
    ipv4: parseIpv4('10.11.0.7'),
    began: BEGAN,
    ageMs: 90_000,
    state: 'stuck',
    stages: [
      reached('discover', 0),
      reached('offer', 900, '10.11.0.7 from 10.11.0.1'),
      reached('script', 6_100, 'machine 3c4d5e6f'),
      reached('kernel', 7_000, 'loaded'),
      reached('initrd', 9_000, 'loaded'),
      reached('overlay', 21_000, 'it does not unpack'),
    ],
    trouble: {
      code: 'MESH_BOOT_FAILED',
      stage: 'overlay',
      cause: 'the machine reports from stage overlay: it does not unpack',
      remedy: 'Give it more memory.',
    },
  },
  {
    mac: MAC,
    device: 'eth1',
    machine: '10eff964' as MachineId,
    name: 'node1',
    began: BEGAN,
    ageMs: 31_400,
    state: 'member',
    stages: [reached('discover', 0), reached('agent', 30_000), reached('mesh', 31_400, 'manage')],
  },
];

export const agentStatus: AgentStatus = {
  role: 'agent',
  version: '0.1.0',
  node: 'node1',
  machine: '10eff964' as MachineId,
  upSec: 190,
  host0: [parseIpv4('10.11.0.1')],
  networks,
  items: { owned: 42, pending: 0, failed: 0 },
  health: [],
};

export const unwellStatus: AgentStatus = {
  ...agentStatus,
  items: { owned: 42, pending: 3, failed: 1 },
  health: [
    {
      code: 'MESH_KERNEL_VNI_BUSY',
      severity: 'error',
      object: 'vxlan77',
      message: 'VNI 77 is taken by vx-old, which is not ours',
      remedy: 'Remove it with `ip link del vx-old`, or give the mesh another vni.',
    },
  ],
};

export const host0Status: Host0Status = {
  role: 'host0',
  version: '0.1.0',
  node: 'host0',
  upSec: 7500,
  epoch: '5f1e',
  revision: 12,
  segments: [{ device: 'eth1', ipv4: parseIpv4('10.11.0.1'), subnet: parseIpv4Cidr('10.11.0.0/24') }],
  nodesOnline: 2,
  networks: 2,
  health: [],
};

export const plan: PlanView = {
  steps: [
    { action: 'create', item: 'link vxlan456', text: 'ip link add vxlan456 type vxlan id 456 dstport 4789' },
    { action: 'change', item: 'link br456', text: 'ip link set br456 mtu 1380', difference: 'mtu 1400 → 1380' },
    { action: 'delete', item: 'fdb', text: 'bridge fdb del 02:2f:55:d5:07:f4 dev vxlan456' },
  ],
};

export const drift: DriftView = { steps: plan.steps.slice(1, 2), cacheDifference: 2 };
export const noDrift: DriftView = { steps: [], cacheDifference: 0 };

export const explanation: ExplainView = {
  object: 'br456',
  network: meshDocument(manage),
  reasons: ['/var/pxen/networks/manage.conf makes the mesh manage', 'a mesh has a bridge that workloads plug into'],
  items: [
    { item: 'link br456', text: 'ip link add br456 type bridge', state: 'ready' },
    {
      item: 'address',
      text: 'ip addr add fd42:2345:1234:9abc:7647:6b77:cff:6931/64 dev br456 nodad',
      state: 'missing',
    },
  ],
};

const [, self, peer] = membersOf(manage);
export const pong: PingResult = {
  network: 'manage',
  from: self,
  to: peer,
  path: ['br456', 'vxlan456', '10.12.0.2'],
  sent: 5,
  received: 4,
  rttMs: [0.21, 0.24, 0.5, 0.25],
  mtu: { provedBytes: 1380, promisedBytes: 1380 },
};

export const ports: readonly PortView[] = [
  {
    interface: 'tap0',
    network: manage.id,
    state: 'plugged',
    mtuBytes: 1500,
    refused: [
      { kind: 'member-mac', frames: 1204, macs: ['02:2f:55:d5:07:f4'] },
      { kind: 'router', frames: 3, macs: ['52:54:00:00:00:01'] },
    ],
  },
  { interface: 'tap1', network: manage.id, state: 'wanted', refused: [] },
];

function event(
  seq: number,
  level: EventLevel,
  kind: string,
  message: string,
  more: Partial<MeshEvent> = {},
): MeshEvent {
  const time = `2026-11-21T06:12:0${seq}.123Z`;
  return { seq, time, level, source: 'agent', node: 'node1', kind, message, ...more };
}

export const agentEvents: readonly MeshEvent[] = [
  event(1, 'debug', 'kernel changed', 'vxlan456 went'),
  event(3, 'info', 'link repaired', 'vxlan456 was deleted by another program and is restored', { network: 'manage' }),
];

export const host0Events: readonly MeshEvent[] = [
  event(2, 'warning', 'member refused', 'a second machine says that it is 10eff964', {
    source: 'host0',
    code: 'MESH_MEMBER_DOUBLE',
    remedy: 'Give one of the two another id with --machine.',
  }),
];

export const unknownNode = new MeshError('MESH_NODE_UNKNOWN', 'manage has no member "node9"', {
  object: 'node9',
  remedy: 'See `mesh network show manage`.',
});

export const diagnosis: DoctorView = {
  checks: ['udp-4789', 'rp-filter', 'disk'],
  findings: [
    {
      check: 'udp-4789',
      code: 'MESH_UNDERLAY_UNFIT',
      severity: 'error',
      object: 'manage',
      message: 'no answer in manage from host0 (10.11.0.1), while the same machines answer on the underlay',
      saw: 'no answer in manage from host0 (10.11.0.1), while the same machines answer on the underlay',
      matters: 'UDP 4789 does not pass between them and this machine, so nothing of the mesh does.',
      remedy: 'Let UDP 4789 through.',
    },
    {
      check: 'rp-filter',
      code: 'MESH_MACHINE_UNFIT',
      severity: 'warning',
      object: 'eth0',
      message: 'rp_filter is strict on eth0, and 7 packets were dropped by it since boot',
      saw: 'rp_filter is strict on eth0, and 7 packets were dropped by it since boot',
      matters: 'VXLAN packets vanish without a trace.',
      remedy: 'Make it loose.',
      fix: [{ name: 'net/ipv4/conf/eth0/rp_filter', value: '2' }],
    },
  ],
  fixed: [],
};

export const metrics: Family[] = [
  {
    name: 'meshwork_members',
    type: 'gauge',
    help: 'Members of each network.',
    samples: [{ suffix: '', labels: { network: 'manage' }, value: 3 }],
  },
  {
    name: 'meshwork_reconcile_duration_seconds',
    type: 'histogram',
    help: 'One pass of the loop.',
    samples: [
      { suffix: '_bucket', labels: { le: '0.1' }, value: 2 },
      { suffix: '_bucket', labels: { le: '+Inf' }, value: 2 },
      { suffix: '_sum', labels: {}, value: 0.0123456789 },
      { suffix: '_count', labels: {}, value: 2 },
    ],
  },
  {
    name: 'meshwork_audits_total',
    type: 'counter',
    help: 'Full dumps.',
    samples: [{ suffix: '', labels: {}, value: 0 }],
  },
  {
    name: 'meshwork_http_request_duration_seconds',
    type: 'histogram',
    help: 'Answers.',
    samples: [
      { suffix: '_sum', labels: { route: '/v1/status' }, value: 3 },
      { suffix: '_count', labels: { route: '/v1/status' }, value: 2 },
      { suffix: '_sum', labels: { route: '/v1/ports' }, value: 0 },
      { suffix: '_count', labels: { route: '/v1/ports' }, value: 1 },
    ],
  },
  {
    name: 'meshwork_state_directory_free_bytes',
    type: 'gauge',
    help: 'Free.',
    samples: [{ suffix: '', labels: {}, value: 3_221_225_472 }],
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'Start.',
    samples: [{ suffix: '', labels: {}, value: 1_795_241_520 }],
  },
];

function traceEnd({ name, ipv6, mac, ipv4 }: Member): TraceEnd {
  return { member: name, memberIpv6: ipv6, guest: false, mac, ipv6, ipv4 };
}

const [host0Member, node1Member] = membersOf(manage);

export const wellTraced: TraceView = {
  network: 'manage',
  from: traceEnd(node1Member),
  to: traceEnd(host0Member),
  forth: [
    { node: 'node1', subject: 'bridge entry', state: 'ok', held: `${host0Member.mac} is behind vxlan456` },
    { node: 'node1', subject: 'route', state: 'ok', held: '10.11.0.1 is direct through eth0 from 10.11.0.2' },
    {
      node: 'host0',
      subject: 'firewall',
      state: 'ok',
      held: 'table inet meshwork takes VXLAN of VNI 456 from 10.11.0.2',
    },
  ],
  back: [{ node: 'host0', subject: 'vxlan entry', state: 'ok', held: `${node1Member.mac} leads to 10.11.0.2` }],
};

export const badlyTraced: TraceView = {
  ...wellTraced,
  forth: [
    ...wellTraced.forth.slice(0, 1),
    {
      node: 'node1',
      subject: 'vxlan entry',
      state: 'differs',
      held: `${host0Member.mac} leads to 10.11.0.77`,
      wanted: `${host0Member.mac} leads to 10.11.0.1`,
      remedy: "node1's agent puts this back within a second.",
    },
  ],
  back: [
    {
      node: 'host0',
      subject: 'agent',
      state: 'unknown',
      held: 'its agent does not answer: connect ECONNREFUSED',
      remedy: 'On host0: `mesh status` shows whether the agent runs.',
    },
  ],
};
