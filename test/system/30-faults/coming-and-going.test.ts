/** Nodes join and vanish, as seen by agents with streams and by a node that only polls. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import { spawnInside } from '../../../src/lab/hosts/host-process.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { formatMemberLine, MEMBER_SILENCE_MS } from '../../../src/protocol/documents/membership.ts';
import { inside } from '../../kit/namespaces.ts';
import { noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Pings } from '../pings.ts';
import { allReachable } from '../reach.ts';
import { until } from '../until.ts';

const POLLER = new URL('../20-membership/poller.sh', import.meta.url).pathname;
/** Five times the promise: one second with a stream, four seconds for pollers. */
const JOIN_DEADLINE_MS = { stream: 5_000, poll: 20_000 } as const;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
/** A node with a shell script in place of an agent, on node2's segment and not on node1's. */
let poller: LabHost;
let script: ChildProcess;
let pings: Pings;

beforeAll(async () => {
  lab = shared.use(await Lab.build({ name: `coming-${process.pid}`, nodes: 4, segments: 2 }));
  [host0, node1, node2] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  poller = lab.host('node4');
  lab.start(host0, 'host0');
  for (const host of [host0, node1, node2]) lab.start(host, 'agent');
  await lab.ready({ hosts: [host0, node1, node2] });
  pings = shared.use(await Pings.start(netnsPath(node1.netns), node2.member.ipv6));
});

/** Whether the kernel of `host` has an FDB entry or a neighbour entry for `other`. */
function knows(host: LabHost, other: LabHost): boolean {
  const {
    type: { device: vxlan },
    bridge: { name: bridge },
  } = EXAMPLE_MESH;
  const entries = inside(netnsPath(host.netns), 'bridge', 'fdb', 'show', 'dev', vxlan);
  const neighbours = inside(netnsPath(host.netns), 'ip', '-6', 'neighbour', 'show', 'dev', bridge, 'nud', 'permanent');
  const { mac, ipv4, ipv6 } = other.member;
  return entries.includes(mac) || entries.includes(` ${ipv4} `) || neighbours.includes(`${ipv6} `);
}

function msSince(startMs: number): string {
  return `${Math.round(performance.now() - startMs)} ms`;
}

async function listed(): Promise<string[]> {
  return (await lab.memberList(host0)).split('\n').slice(1, -1).toSorted();
}

function lines(...hosts: LabHost[]): string[] {
  return hosts.map(({ member }) => formatMemberLine(member)).toSorted();
}

test('a node that only polls, with curl and ip, is a full member', async ({ annotate }) => {
  const { name, number, hostAddress } = EXAMPLE_MESH;
  const { prefix, key } = hostAddress;
  const words = [name, prefix, `${number}`, key, poller.machine, poller.host0, poller.name];
  const startMs = performance.now();
  script = spawnInside(poller.netns, ['sh', POLLER, ...words], { stdio: ['ignore', 'ignore', 'inherit'] });
  await until('the streams know it', JOIN_DEADLINE_MS.poll, () =>
    [host0, node1, node2].every((host) => knows(host, poller)),
  );
  await annotate(`in every kernel ${msSince(startMs)} after the script's start`);
  expect(await listed()).toEqual(lines(node1, node2, poller));
  await allReachable(
    netnsPath(poller.netns),
    [host0, node1, node2].map(({ member }) => member.ipv6),
  );
  for (const host of [host0, node1, node2]) await allReachable(netnsPath(host.netns), [poller.member.ipv6]);
});

test('a node that joins is in every kernel at once, and in that of the poller after a poll', async ({ annotate }) => {
  const node3 = lab.host('node3');
  const startMs = performance.now();
  lab.start(node3, 'agent');
  await until('it is a member', JOIN_DEADLINE_MS.poll, async () => (await listed()).length === 4);
  await annotate(`a member ${msSince(startMs)} after its agent's start`);
  await until('the streams know it', JOIN_DEADLINE_MS.stream, () =>
    [host0, node1, node2].every((host) => knows(host, node3)),
  );
  await annotate(`in every kernel ${msSince(startMs)} after its agent's start`);
  await until('the poller knows it', JOIN_DEADLINE_MS.poll, () => knows(poller, node3));
  await annotate(`in the poller's kernel ${msSince(startMs)} after its agent's start`);
  for (const host of [host0, node1, node2, poller]) await allReachable(netnsPath(host.netns), [node3.member.ipv6]);
  await allReachable(netnsPath(node3.netns), [poller.member.ipv6]);
  expect(await pings.lost()).toBe('');
});

test('a node that vanishes is gone from the list and from every kernel', async ({ annotate }) => {
  const node3 = lab.host('node3');
  const startMs = performance.now();
  await lab.cutCables(node3);
  await lab.stop(node3, 'agent');
  await until(
    'it is off the list',
    5 * MEMBER_SILENCE_MS,
    async () => !(await lab.memberList(host0)).includes('node3'),
  );
  await until('the streams have forgotten it', JOIN_DEADLINE_MS.stream, () =>
    [host0, node1, node2].every((host) => !knows(host, node3)),
  );
  await annotate(`out of every kernel after ${msSince(startMs)}`);
  await until('the poller has forgotten it', JOIN_DEADLINE_MS.poll, () => !knows(poller, node3));
  await annotate(`out of the poller's kernel after ${msSince(startMs)}`);
  expect(await listed()).toEqual(lines(node1, node2, poller));
  expect(await pings.lost()).toBe('');
});

test('a polling node that vanishes is gone, too', async ({ annotate }) => {
  const startMs = performance.now();
  const exited = once(script, 'exit');
  script.kill('SIGKILL');
  await exited;
  await until(
    'it is off the list',
    5 * MEMBER_SILENCE_MS,
    async () => !(await lab.memberList(host0)).includes('node4'),
  );
  await until('the streams have forgotten it', JOIN_DEADLINE_MS.stream, () =>
    [host0, node1, node2].every((host) => !knows(host, poller)),
  );
  await annotate(`out of every kernel after ${msSince(startMs)}`);
  expect(await listed()).toEqual(lines(node1, node2));
  expect(await pings.lost()).toBe('');
  await noDrift([host0, node1, node2]);
});
