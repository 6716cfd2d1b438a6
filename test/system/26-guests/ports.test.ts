/** Ports of guests: host0 places them, nodes make network and tap, guests meet and are kept to their addresses. */
import { closeSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { IP_PROTOCOL } from '../../../src/kernel/sockets/ethernet.ts';
import { FrameSocket } from '../../../src/kernel/sockets/frame-socket.ts';
import { openTap } from '../../../src/kernel/tap/tap.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { type Ipv6, parseIpv6 } from '../../../src/model/address/ipv6.ts';
import { type Mac, parseMac } from '../../../src/model/address/mac.ts';
import { agentClient, host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { ipv6Frame, udp } from '../../kit/frames.ts';
import { LONG } from '../../kit/long.ts';
import { inside } from '../../kit/namespaces.ts';
import { droppedInQueues } from '../../kit/queue-drops.ts';
import { noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { until } from '../until.ts';
import { Crowd } from './crowd.ts';

const DEADLINE_MS = 20_000;
const FORGED = 30;
/** Broadcasts of a guest in a second that others hear (refusal-chains.ts). As many may come at once. */
const FLOOD_LIMIT = 1_000;
/** Of each pair of guests in each family: for two seconds. */
const PINGS = LONG ? 1_000 : 100;
/** `struct virtio_net_hdr` before each frame of the tap: no offload. */
const VNET_HEADER = Buffer.alloc(10);
const ONE = { mac: parseMac('02:00:00:00:00:01'), ipv6: parseIpv6('fd77::1') };
const TWO = { mac: parseMac('02:00:00:00:00:02'), ipv6: parseIpv6('fd77::2') };

const shared = forAllTests();
let lab: Lab;
let node1: LabHost;
let node2: LabHost;
let node3: LabHost;
/** Descriptors of taps, as emulators would have them. */
const taps = new Map<string, number>();

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `ports-${process.pid}`, nodes: 3, segments: 1 }));
  [node1, node2, node3] = [lab.host('node1'), lab.host('node2'), lab.host('node3')];
  await until('blue is made', DEADLINE_MS, () =>
    mesh('network', 'create', 'blue').then(
      () => true,
      () => false,
    ),
  );
});

afterAll(() => {
  for (const fd of taps.values()) closeSync(fd);
});

/** Runs a command of host0's administrator. @returns the document that it answers with */
async function mesh(...words: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await meshOn(lab.host('host0'), '--json', ...words);
  if (code !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
  return JSON.parse(stdout);
}

const here = (host: LabHost, ...words: readonly string[]) => inside(netnsPath(host.netns), ...words);
const hasState = (port: string, state: string) =>
  until(`${port} is ${state}`, DEADLINE_MS, async () => (await mesh('port', 'show', port)).state === state);
const devicesOf = (host: LabHost) =>
  [...here(host, 'ip', '-br', 'link').matchAll(/^(v[0-9a-f]+|br1001|vxlan1001)[\s@]/gm)].map(([, name]) => name).sort();
/** Where the kernel of a node sends frames for an Ethernet address. */
const wayTo = (host: LabHost, mac: Mac) =>
  new RegExp(`^${mac} dst (\\S+)`, 'm').exec(here(host, 'bridge', 'fdb', 'show', 'dev', 'vxlan1001'))?.[1];

function hold(host: LabHost, tap: string): void {
  taps.set(tap, openTap(tap, { netns: netnsPath(host.netns) }));
}

function letGo(tap: string): void {
  closeSync(taps.get(tap) ?? -1);
  taps.delete(tap);
}

/** Sends from the guest of a tap to the second guest. */
function send(tap: string, source: Ipv6, count = 1): void {
  const ends = { from: ONE.mac, to: TWO.mac, source, destination: TWO.ipv6 };
  const frame = ipv6Frame(ends, IP_PROTOCOL.udp, udp(9, 9, Buffer.alloc(32, 7)));
  for (let i = 0; i < count; i++) writeSync(taps.get(tap) ?? -1, Buffer.concat([VNET_HEADER, frame]));
}

/** Counts the frames from the first guest that come to the guest of a tap. */
function arrivals(host: LabHost, tap: string): { readonly count: () => number; [Symbol.dispose](): void } {
  const [{ ifindex }] = JSON.parse(here(host, 'ip', '-j', 'link', 'show', tap));
  let count = 0;
  const socket = FrameSocket.open({
    link: ifindex,
    netns: netnsPath(host.netns),
    filter: [{ take: true }],
    outgoing: true,
    onFrame: ({ bytes }) => {
      if (bytes.toString('hex', 6, 12) === ONE.mac.replaceAll(':', '') && bytes[20] === IP_PROTOCOL.udp) count++;
    },
    onError: () => undefined,
  });
  return { count: () => count, [Symbol.dispose]: () => socket.close() };
}

test('ports bring network and tap to their nodes, and each node knows the guest of the other', async () => {
  expect([node1, node2].flatMap(devicesOf)).toEqual([]);
  expect(
    await mesh('port', 'create', 'blue', '--node', 'node1', '--name', 'one', '--address', ONE.ipv6, '--for', 'vm-a'),
  ).toMatchObject({
    id: '1',
    name: 'one',
    vm: 'vm-a',
    mac: ONE.mac,
    interface: 'v1',
  });
  await mesh(
    'port',
    'create',
    'blue',
    '--node',
    'node2',
    '--name',
    'two',
    '--address',
    TWO.ipv6,
    '--address',
    '10.77.0.2',
  );
  for (const port of ['one', 'two']) await hasState(port, 'plugged');
  expect(await mesh('port', 'show', 'one')).toMatchObject({ why: 'no emulator has the tap open' });
  expect(devicesOf(node1)).toEqual(['br1001', 'v1', 'vxlan1001']);
  await until('node1 knows the second guest', DEADLINE_MS, () => wayTo(node1, TWO.mac) === node2.member.ipv4);
  expect(wayTo(node2, ONE.mac)).toBe(node1.member.ipv4);
  expect(here(node1, 'ip', 'neighbour', 'show', 'dev', 'br1001')).toContain(`10.77.0.2 lladdr ${TWO.mac}`);
  hold(node1, 'v1');
  hold(node2, 'v2');
  for (const port of ['one', 'two']) await hasState(port, 'bound');
  await noDrift([node1, node2]);
});

test('no two ports have one name, Ethernet address or IP address', async () => {
  const twice = async (...words: readonly string[]) => {
    const { code, stderr } = await meshOn(lab.host('host0'), 'port', 'create', 'blue', '--node', 'node3', ...words);
    expect(code).not.toBe(0);
    return stderr;
  };
  expect(await twice('--address', ONE.ipv6)).toContain('port one (1)');
  expect(await twice('--mac', TWO.mac)).toContain('port two (2)');
  expect(await twice('--name', 'one')).toContain('port 1 on node1');
});

test("a guest's own packets reach the other node, and forged ones are dropped and counted", async () => {
  using arrived = arrivals(node2, 'v2');
  send('v1', TWO.ipv6, FORGED);
  send('v1', ONE.ipv6);
  await until('the packet is there', DEADLINE_MS, () => arrived.count() > 0);
  expect(arrived.count()).toBe(1);
  const [port] = await agentClient(pathsBelow(node1.root)).ask('GET /v1/ports');
  expect(port).toMatchObject({
    interface: 'v1',
    bound: true,
    refused: [{ kind: 'wrong-address', frames: FORGED, macs: [ONE.mac] }],
  });
  const status = await agentClient(pathsBelow(node1.root)).ask('GET /v1/status');
  expect(status.health).toContainEqual(expect.objectContaining({ code: 'MESH_PORT_REFUSED', object: 'v1' }));
});

test('an agent that is killed leaves the taps to their holders, and its next run takes them up', async () => {
  const index = () => /^(\d+): v1/.exec(here(node1, 'ip', 'link', 'show', 'v1'))?.[1];
  const before = index();
  using arrived = arrivals(node2, 'v2');
  await lab.stop(node1, 'agent');
  send('v1', ONE.ipv6);
  await until('a packet passes without the agent', DEADLINE_MS, () => arrived.count() > 0);
  lab.start(node1, 'agent');
  await hasState('one', 'bound');
  expect(index()).toBe(before);
  await noDrift([node1]);
});

test('a port that moves takes its guest along, and the last port that goes leaves nothing', async () => {
  letGo('v2');
  await mesh('port', 'move', 'two', '--node', 'node3');
  await until('the way leads to node3', DEADLINE_MS, () => wayTo(node1, TWO.mac) === node3.member.ipv4);
  await until('node2 has nothing of blue', DEADLINE_MS, () => devicesOf(node2).length === 0);
  hold(node3, 'v2');
  await hasState('two', 'bound');
  using arrived = arrivals(node3, 'v2');
  send('v1', ONE.ipv6);
  await until('the packet is on node3', DEADLINE_MS, () => arrived.count() > 0);
  for (const tap of ['v1', 'v2']) letGo(tap);
  for (const port of ['one', 'two']) expect(await mesh('port', 'delete', port)).toMatchObject({ state: 'gone' });
  await until('no node has anything of blue', DEADLINE_MS, () => [node1, node2, node3].flatMap(devicesOf).length === 0);
  await noDrift([node1, node2, node3]);
});

test('thirty guests lose at most one of a hundred pings while another guest sends ten thousand broadcasts a second', async () => {
  using crowd = await Crowd.place(lab.host('host0'), [node1, node2, node3], 'blue');
  const client = host0Client(pathsBelow(lab.host('host0').root));
  await until('all ports are plugged', DEADLINE_MS, async () =>
    (await client.ask('GET /v1/ports')).every(({ state }) => state === 'plugged' || state === 'bound'),
  );
  const droppedBefore = droppedInQueues();
  const { result, frames, sec } = await crowd.storm(() => crowd.talk(PINGS));
  const dropped = droppedInQueues() - droppedBefore;
  const { link, node } = crowd.stormer;
  const ports = await agentClient(pathsBelow(node.root)).ask('GET /v1/ports');
  const refused = ports.find((port) => port.interface === link)?.refused ?? [];
  // A busy machine sends fewer than ten thousand a second; the long tests run alone.
  console.log(
    `${Math.round(frames / sec)} broadcasts a second for ${sec.toFixed(1)} s; pings: ${JSON.stringify(result)}, ${dropped} packets dropped in queues`,
  );
  if (LONG) expect(frames / sec).toBeGreaterThan(9_500);
  // A starved machine sends fewer than a port may send: the limit refuses none of them.
  if (frames > FLOOD_LIMIT * (sec + 2)) expect(refused).toMatchObject([{ kind: 'broadcast' }]);
  expect(frames - (refused[0]?.frames ?? 0)).toBeLessThan(FLOOD_LIMIT * (sec + 2));
  expect(result.sent).toBe(30 * PINGS);
  // What the full queue of a busy processor drops, no real network would lose.
  expect(result.sent - result.answered - dropped).toBeLessThanOrEqual(0.01 * result.sent);
});
