/**
 * A process that answers at host0's address, or at a member's, and lies. Whatever it says, the agents stay the same processes,
 * nothing of it is in a kernel, and the mesh is well again when the true one is back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { agentClient } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { AGENT_PORT, MEMBERSHIP_PORT } from '../../../src/protocol/documents/tcp-ports.ts';
import { HOPS_MAX } from '../../../src/protocol/documents/trace.ts';
import type { MeshEvent } from '../../../src/protocol/journal/event.ts';
import { membershipEventReader, readReportAnswer } from '../../../src/protocol/shapes/membership-shape.ts';
import { damagedText, seedOfRun } from '../../kit/damage.ts';
import { LONG } from '../../kit/long.ts';
import { inside } from '../../kit/namespaces.ts';
import { pick, randomFrom } from '../../kit/random.ts';
import { noDrift, noFindings, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { kernelPicture } from '../kernel-picture.ts';
import { PingSet } from '../ping-set.ts';
import { growLittle, retainedKbOf } from '../retained-memory.ts';
import { allTalk, areListed } from '../talk.ts';
import { until } from '../until.ts';
import { BROKEN, http, Liar, type Lie, stream } from './liar.ts';

/** How long host0 lies: an hour in the long run, otherwise long enough for most lies once. */
const LYING_MS = LONG ? 3_600_000 : 60_000;
/** Time for the mesh to be well before and after the lies. */
const AROUND_MS = 300_000;
/** Code that first runs now, and what an agent learns in its first minutes, take less than this. */
const GROWTH_MAX_KB = 4 * 1024;
/** As often the long run prints the memory, which shows whether it is level. */
const WEIGHING_MS = 300_000;
const NO_LIE: Lie = { bytes: '', after: 'end' };
const TRACES = 20;
const { name: bridge } = EXAMPLE_MESH.bridge;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `liar-${process.pid}`, nodes: 2, segments: 1 }));
  [host0, node1, node2] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  // A network of the nodes themselves, as a bridge of containers.
  for (const { netns } of [node1, node2]) {
    for (const command of ['link add docker0 up type bridge', 'address add 172.17.0.1/16 dev docker0'])
      inside(netnsPath(netns), 'ip', ...command.split(' '));
  }
});

/** Without host0's neighbour entry, which is only there while host0 answers. */
async function pictureOf(host: LabHost): Promise<string> {
  const lines = (await kernelPicture(lab, host)).split('\n');
  return lines.filter((line) => !line.startsWith(`${host0.member.ipv6} `)).join('\n');
}

/** The kilobytes that the agents of `hosts` hold on to. */
const retainedKb = (hosts: readonly LabHost[]): Promise<number[]> =>
  Promise.all(hosts.map((host) => retainedKbOf(agentOf(host), netnsPath(host.netns))));

/** What node1's agent is, apart from its age. */
function agentOf(host: LabHost) {
  const mark = lab.process(host, 'agent');
  if (mark === undefined) throw new Error(`the agent of ${host.name} does not run`);
  return mark;
}

/** Lies in the form of documents, none of which a reader takes; and lies in no form at all. */
function falseHost0(random: () => number): (request: string) => Lie {
  const version = { epoch: '0a1b', revision: 7 };
  const segments = ['10.11.0.0/24'];
  const members = [host0.member, node1.member, node2.member];
  const evil = { ...node2.member, ipv4: '10.11.0.7 }\nadd table ip evil\ntable ip evil {' };
  const snapshot = { type: 'snapshot', version, members, segments };
  const accepted = { accepted: true, version, segments };
  const read = membershipEventReader(EXAMPLE_MESH);

  const refused = (document: unknown, reader: (text: string) => unknown): string => {
    for (;;) {
      const text = damagedText(document, random).replaceAll('\n', ' ');
      try {
        reader(text);
      } catch {
        return text;
      }
    }
  };
  const event = (document: unknown) => ({ event: 'snapshot', data: JSON.stringify(document) });
  const [upgrade = NO_LIE, ...broken] = BROKEN;
  const told = (...events: { event: string; data: string }[]): Lie => ({ bytes: stream(...events), after: 'silence' });
  const damagedList = () => ({ event: 'snapshot', data: refused(snapshot, read) });
  // Each once in this order, and then at random: a node pauses for seconds after each.
  const streams: readonly (() => Lie)[] = [
    () => upgrade,
    // In its form; but a route to it would take over a network of the node.
    () => told(event({ ...snapshot, segments: ['172.16.0.0/12', ...segments] })),
    () => told(event({ ...snapshot, members: [...members, evil] })),
    () => told(event(snapshot), { event: 'join', data: JSON.stringify({ type: 'join', version, member: evil }) }),
    () => told(event({ ...snapshot, segments: ['128.0.0.0/1', '8.8.8.8/32'] })),
    () => told(event({ ...snapshot, members: new Array(200_000).fill(0) })),
    () => told({ event: 'snapshot', data: '['.repeat(900_000) }),
    () => ({ bytes: `${stream()}event: snapshot\ndata: ${'x'.repeat(64 * 1024)}`, after: 'flood' }),
    () => told({ event: 'leave', data: '{"type":"leave"}' }),
    () => told(event(snapshot), damagedList()),
    () => ({ ...told(damagedList()), after: 'end' }),
    () => told({ event: 'join', data: refused({ type: 'join', version, member: node2.member }, read) }),
    () => pick(random, broken),
  ];
  const accept = (): Lie => ({ bytes: http(JSON.stringify(accepted)), after: 'end' });
  // Most reports are accepted: only then does a node ask for events.
  const answers: readonly (() => Lie)[] = [
    accept,
    accept,
    () => upgrade,
    accept,
    () => ({ bytes: http('{"accepted":true}', { type: 'text/html' }), after: 'end' }),
    accept,
    () => ({ bytes: http('{"code":"toString","message":"x"}', { status: '500 x' }), after: 'end' }),
    accept,
    () => ({ bytes: http(refused(accepted, readReportAnswer)), after: 'end' }),
    accept,
    () => pick(random, broken),
    accept,
  ];
  const [nextStream, nextAnswer] = [streams, answers].map((lies) => inTurn(lies, random));
  return (request) => (request === 'GET /events' ? nextStream?.() : nextAnswer?.()) ?? NO_LIE;
}

/** Gives each lie once, in order, and then one at random at each call. */
function inTurn(lies: readonly (() => Lie)[], random: () => number): () => Lie {
  let count = 0;
  return () => (lies[count++] ?? pick(random, lies))();
}

const PATIENT = { timeout: LYING_MS + AROUND_MS };

test('a false host0 changes nothing, ends nothing, and is forgotten when the true one is back', PATIENT, async () => {
  const nodes = [node1, node2];
  const before = await Promise.all(nodes.map(pictureOf));
  const agents = nodes.map(agentOf);
  const retainedBefore = await retainedKb(nodes);
  let weighedMs = 0;
  const weigh = async (lyingMs: number) => {
    if (lyingMs - weighedMs < WEIGHING_MS) return;
    weighedMs = lyingMs;
    const kb = (await retainedKb(nodes)).join(' and ');
    console.log(`after ${Math.round(lyingMs / 60_000)} minutes the agents hold ${kb} kB`);
  };
  using pings = await PingSet.start([node1, node2], [node2, node1]);
  await lab.stop(host0, 'host0');
  const random = randomFrom(seedOfRun());
  const place = { netns: netnsPath(host0.netns), device: bridge, address: host0.member.ipv6, port: MEMBERSHIP_PORT };
  {
    using liar = new Liar(place, falseHost0(random));
    const endMs = performance.now() + LYING_MS;
    while (performance.now() < endMs) {
      await sleep(2_000);
      expect(await Promise.all(nodes.map(pictureOf))).toEqual(before);
      expect(nodes.map(agentOf)).toEqual(agents);
      await weigh(LYING_MS - (endMs - performance.now()));
    }
    console.log(`${liar.lies} lies`);
    expect(liar.lies).toBeGreaterThan(20);
  }
  lab.start(host0, 'host0');
  await areListed(lab, node1, nodes);
  await allTalk(lab);
  await noDrift(lab.hosts);
  expect(await pings.lost()).toEqual({});
  expect(pings.sent).toBeGreaterThan(300);
  expect(await Promise.all(nodes.map(pictureOf))).toEqual(before);
  expect(nodes.map(agentOf)).toEqual(agents);
  await growLittle('agents', () => retainedKb(nodes), retainedBefore, GROWTH_MAX_KB);
  for (const host of nodes) {
    const faults: MeshEvent[] = [];
    for await (const event of agentClient(pathsBelow(host.root)).events('GET /v1/events', { query: { follow: false } }))
      if (event.kind === 'fault') faults.push(event);
    expect(faults).toEqual([]);
  }
});

test('a segment that overlaps a network of the node gets no route, and is a finding', async () => {
  const version = { epoch: '0a1b', revision: 7 };
  const answer = http(
    JSON.stringify({ accepted: true, version, segments: ['10.11.0.0/24', '172.17.3.0/24', '10.12.0.0/24'] }),
  );
  await lab.stop(host0, 'host0');
  const place = { netns: netnsPath(host0.netns), device: bridge, address: host0.member.ipv6, port: MEMBERSHIP_PORT };
  {
    using _ = new Liar(place, (request) =>
      request === 'GET /events' ? { bytes: stream(), after: 'silence' } : { bytes: answer, after: 'end' },
    );
    await until('the segment is a finding', 15_000, async () =>
      (await statusOf(node1))?.health.some(
        ({ code, object }) => code === 'MESH_HOST0_SEGMENT' && object === '172.17.3.0/24',
      ),
    );
    const routes = inside(netnsPath(node1.netns), 'ip', '-4', 'route', 'show', 'table', 'all', 'proto', '200');
    expect(routes).toMatch(/^10\.12\.0\.0\/24 via 10\.11\.0\.1 .*\n$/);
  }
  lab.start(host0, 'host0');
  await allTalk(lab);
  await until(
    'the route is gone',
    50_000,
    () => inside(netnsPath(node1.netns), 'ip', '-4', 'route', 'show', 'table', 'all', 'proto', '200') === '',
  );
  await noFindings(node1);
});

test('a false member changes nothing on the machine that asks it', async () => {
  const agent = agentOf(node1);
  await lab.stop(node2, 'agent');
  const random = randomFrom(seedOfRun());
  const part = {
    hops: [{ subject: 'route', state: 'ok', held: 'x' }],
    sendsTo: '10.11.0.1',
    receivesAt: ['10.11.0.3'],
  };
  const place = { netns: netnsPath(node2.netns), device: bridge, address: node2.member.ipv6, port: AGENT_PORT };
  const lies: readonly (() => Lie)[] = [
    () => ({ bytes: http(damagedText({ node: 'node2', forth: part, back: part }, random)), after: 'end' }),
    () => ({ bytes: http('{"code":"toString","message":"x"}', { status: '500 x' }), after: 'end' }),
    () => pick(random, BROKEN),
  ];
  {
    using liar = new Liar(place, () => pick(random, lies)());
    const client = agentClient(pathsBelow(node1.root));
    // At once: host0 drops node2 after nine seconds.
    const traces = Array.from({ length: TRACES }, () =>
      client.ask('POST /v1/trace', { body: { network: 'manage', from: 'node1', to: 'node2' } }),
    );
    for (const { forth } of await Promise.all(traces)) {
      const told = forth.filter(({ node }) => node === 'node2');
      expect(told.length).toBeLessThanOrEqual(HOPS_MAX);
      expect(JSON.stringify(told).length).toBeLessThan(10_000);
    }
    expect(liar.lies).toBe(TRACES);
  }
  expect(agentOf(node1)).toEqual(agent);
  lab.start(node2, 'agent');
  await allTalk(lab);
});
