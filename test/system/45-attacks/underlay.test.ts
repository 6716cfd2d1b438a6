/**
 * What machines on the underlay cannot do: join from the network of host0's uplink, send as a member that is elsewhere,
 * and fill the tables and agents of all nodes with made-up Ethernet addresses.
 */
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { type Ipv4, parseIpv4 } from '../../../src/model/address/ipv4.ts';
import { type Mac, parseMac } from '../../../src/model/address/mac.ts';
import { parseMachineId } from '../../../src/model/machine.ts';
import { memberAddresses } from '../../../src/model/network/member.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { Host0Status } from '../../../src/protocol/documents/views.ts';
import { forge, makeUpMacs } from '../../kit/forgery.ts';
import { inside } from '../../kit/namespaces.ts';
import { BareHost } from '../bare-host.ts';
import { noDrift, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { PingSet } from '../ping-set.ts';
import { allAnswer, reachable } from '../reach.ts';
import { growLittle, retainedKbOf } from '../retained-memory.ts';
import { Stranger } from '../stranger.ts';
import { until } from '../until.ts';

const { vni, device } = EXAMPLE_MESH.type;
const NOTICE_DEADLINE_MS = 15_000;
const GROWTH_MAX_KB = 4 * 1024;
const MADE_UP = 200_000;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
let node3: LabHost;
/** A stranger on host0's uplink, at 10.99.0.2, and one on a second card of node1, at 10.98.0.2. */
let onUplink: BareHost;
let onCard: BareHost;

beforeAll(async () => {
  // node1 and node3 are on the first segment, node2 is on the second.
  lab = shared.use(await Lab.up({ name: `underlay-${process.pid}`, nodes: 3, segments: 2 }));
  [host0, node1, node2, node3] = [lab.host('host0'), lab.host('node1'), lab.host('node2'), lab.host('node3')];
  onUplink = shared.use(cardOf(host0, '10.99.0'));
  inside(netnsPath(host0.netns), 'ip', 'route', 'add', 'default', 'via', '10.99.0.2');
  onCard = shared.use(cardOf(node1, '10.98.0'));
  await allAnswer(EXAMPLE_MESH, lab.hosts);
});

/** Gives a host another NIC, `card`, with the first address of a /24. @returns the machine at the second address */
function cardOf(host: LabHost, network: string): BareHost {
  const other = new BareHost();
  const netns = netnsPath(host.netns);
  inside(netns, 'ip', 'link', 'add', 'card', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', other.netns);
  inside(netns, 'ip', 'address', 'add', `${network}.1/24`, 'dev', 'card');
  inside(netns, 'ip', 'link', 'set', 'card', 'up');
  other.run('ip', 'address', 'add', `${network}.2/24`, 'dev', 'eth0');
  other.run('ip', 'link', 'set', 'eth0', 'up');
  return other;
}

function statusOfHost0(): Promise<Host0Status> {
  return host0Client(pathsBelow(host0.root)).ask('GET /v1/status');
}

/** The entries of the VXLAN device of a host for an Ethernet address. */
function learned(host: LabHost, mac: Mac): string[] {
  const entries = inside(netnsPath(host.netns), 'bridge', 'fdb', 'show', 'dev', device).split('\n');
  return entries.filter((entry) => entry.startsWith(mac));
}

/** How many VXLAN packets the host has dropped since they came in where their source is not. */
function fromElsewhere({ netns }: LabHost): number {
  const text = inside(netnsPath(netns), 'nft', 'list', 'counter', 'inet', 'meshwork', 'elsewhere');
  return Number(/packets (\d+)/.exec(text)?.[1]);
}

async function leaves(): Promise<string[]> {
  const messages: string[] = [];
  for await (const event of host0Client(pathsBelow(host0.root)).events('GET /v1/events', {
    query: { follow: false },
  })) {
    if (event.kind === 'member left') messages.push(event.message);
  }
  return messages;
}

test("a stranger on host0's uplink does not become a member, and reaches nobody", async () => {
  const joins = await until('host0 has noticed its uplink', NOTICE_DEADLINE_MS, async () => {
    const { joins: networks = [] } = await statusOfHost0();
    return networks.some(({ why }) => why === 'default route') && networks;
  });
  expect(joins.map(({ device, subnet, admits }) => `${device} ${subnet}: ${admits}`).toSorted()).toEqual([
    'card 10.99.0.0/24: none',
    'eth1 10.11.0.0/24: open',
    'eth2 10.11.1.0/24: open',
  ]);
  const { stdout } = await meshOn(host0, 'status');
  expect(stdout).toContain('nobody of 10.99.0.0/24 on card (it has the default route)');

  const own = memberAddresses(EXAMPLE_MESH, parseMachineId('deadbeef'));
  const tunnel = ['type', 'vxlan', 'id', String(vni), 'dstport', '4789', 'remote', '10.99.0.1'];
  onUplink.run('ip', 'link', 'add', 'mesh', 'address', own.bridgeMac, 'mtu', '1380', ...tunnel);
  onUplink.run('ip', 'address', 'add', `${own.ipv6}/64`, 'dev', 'mesh', 'nodad');
  onUplink.run('ip', 'link', 'set', 'mesh', 'up');
  const url = `http://[${host0.member.ipv6}]:8000/?name=evil&machine=deadbeef`;
  const asking = onUplink.run('sh', '-c', `curl -sg -o /dev/null --max-time 2 '${url}'; echo $?`);
  expect(asking).not.toBe('0\n');
  expect(
    await reachable(
      onUplink.netns,
      lab.hosts.map(({ member }) => member.ipv6),
    ),
  ).toEqual([]);
  const nodes = await host0Client(pathsBelow(host0.root)).ask('GET /v1/nodes');
  expect(nodes.map(({ name }) => name)).not.toContain('evil');
  for (const host of [node1, node2, node3]) {
    expect(inside(netnsPath(host.netns), 'ip', 'route')).not.toContain('10.99.0.0/24');
  }
  onUplink.run('ip', 'link', 'delete', 'mesh');
});

test('a packet is not believed where its source is not, and honest members lose nothing', async () => {
  using pings = await PingSet.start([node1, node2], [node3, host0], [host0, node1]);
  const inMesh = { vni };
  const onSegment = shared.use(Stranger.on(lab, 1));
  onSegment.run('ip', 'route', 'add', '10.11.0.0/24', 'via', '10.11.1.1');
  const mac = (number: number) => parseMac(`06:ba:d0:00:00:0${number}`);
  const before = [host0, node1].map(fromElsewhere);
  // host0, from its uplink and from another segment; as a member.
  await forge({ ...inMesh, netns: onUplink.netns, from: node1.member.ipv4, to: parseIpv4('10.99.0.1'), mac: mac(1) });
  await forge({ ...inMesh, netns: onSegment.netns, from: node1.member.ipv4, to: parseIpv4('10.11.1.1'), mac: mac(2) });
  // A node, through host0, which forwards between segments; as a member of the node's own segment.
  await forge({ ...inMesh, netns: onSegment.netns, from: node1.member.ipv4, to: node3.member.ipv4, mac: mac(3) });
  // A node, from its second card; as host0.
  await forge({ ...inMesh, netns: onCard.netns, from: '10.11.0.1' as Ipv4, to: '10.98.0.1' as Ipv4, mac: mac(4) });
  expect([1, 2, 3, 4].flatMap((number) => lab.hosts.flatMap((host) => learned(host, mac(number))))).toEqual([]);
  const dropped = [host0, node1].map(fromElsewhere).map((packets, i) => packets - (before[i] ?? 0));
  expect(dropped[0]).toBeGreaterThanOrEqual(9);
  expect(dropped[1]).toBeGreaterThanOrEqual(3);

  const { stdout } = await meshOn(node1, 'doctor');
  expect(stdout).toContain('wrong-nic: ');
  await until('300 pings are sent', NOTICE_DEADLINE_MS, () => pings.sent >= 900);
  expect(await pings.lost()).toEqual({});
});

test('a member that makes up Ethernet addresses fills a bounded table, and no agent', async () => {
  const victims = [host0, node1, node3];
  const retainedKb = () =>
    Promise.all(victims.map((host) => retainedKbOf(lab.process(host, 'agent'), netnsPath(host.netns))));
  const leftBefore = await leaves();
  const retainedBefore = await retainedKb();
  await makeUpMacs(netnsPath(node2.netns), device, MADE_UP);
  for (const host of victims) {
    const finding = await until('the agent has noticed', NOTICE_DEADLINE_MS, async () => {
      return (await statusOf(host))?.health.find(({ code }) => code === 'MESH_TABLE_FULL');
    });
    expect(finding).toMatchObject({ severity: 'warning', object: 'manage' });
    expect(finding.message).toContain(`came from node2 (10.11.1.2)`);
    const entries = inside(netnsPath(host.netns), 'bridge', 'fdb', 'show', 'dev', device).split('\n').length;
    expect(entries).toBeGreaterThan(12_000);
    expect(entries).toBeLessThan(30_000);
  }
  await growLittle('agents', retainedKb, retainedBefore, GROWTH_MAX_KB);
  await allAnswer(EXAMPLE_MESH, lab.hosts);
  expect(await leaves()).toEqual(leftBefore);

  // Our own entries have room in the full tables.
  inside(netnsPath(node3.netns), 'bridge', 'fdb', 'delete', node1.member.mac, 'dev', device, 'self');
  await noDrift(lab.hosts);
  await allAnswer(EXAMPLE_MESH, lab.hosts);
});
