/** Proves that machines with a disk reach each other again after a common power cut, even without host0. */
import { expect, test } from 'vitest';
import { randomFrom } from '../kit/random.ts';
import { Cluster } from './cluster.ts';
import { drifting, live, unreachable, wrongEntries } from './invariants.ts';
import type { SimMachine } from './sim-machine.ts';

/** Half of them have a disk. */
const AGENTS = 24;
/** Time for all nodes to join, and to write the members to disk. */
const CALM_MS = 15_000;
/** Time for an agent to start, and to put the entries of the known members into its kernel. */
const START_MS = 2_000;
/** 9 s until silence is noticed, 9 s until a list is complete, and time for what was refused meanwhile. */
const SETTLE_MS = 27_000;

let cluster: Cluster;
let withDisk: SimMachine[];

async function pass(ms: number): Promise<void> {
  await cluster.clock.run(cluster.clock.nowMs() + ms);
}

async function clusterOf(segments: number): Promise<void> {
  cluster = new Cluster({ random: randomFrom(1), agents: AGENTS, segments, networks: 2, trace: false });
  cluster.start();
  await pass(CALM_MS);
  withDisk = cluster.nodes.filter(({ hasDisk }) => hasDisk);
}

/** The pairs of host0 and the machines with a disk that do not reach each other. */
function apart(): string[] {
  const names = new Set([cluster.host0Machine, ...withDisk].map(({ name }) => name));
  return unreachable(cluster).filter((sentence) => {
    const [from = '', to = ''] = sentence.split(' does not reach ');
    return names.has(from) && names.has(to.split(' ')[0] ?? '');
  });
}

async function isWhole(): Promise<void> {
  expect(wrongEntries(cluster)).toEqual([]);
  expect(unreachable(cluster)).toEqual([]);
  const drifts = Promise.all(live(cluster).map(drifting));
  await pass(100);
  expect((await drifts).flat()).toEqual([]);
}

test('while host0 is off, members are reached; members that left are dropped when host0 is back', async () => {
  await clusterOf(1);
  cluster.powerOffHost0();
  for (const node of cluster.nodes) node.powerOff();
  await pass(1_000);
  const [gone, moved, ...others] = withDisk;
  for (const node of cluster.nodes) if (node !== gone && node !== moved) node.boot();
  await pass(START_MS);
  expect(others.length).toBeGreaterThan(5);
  expect(apart()).toEqual([]);
  expect(unreachable(cluster)).not.toEqual([]);

  cluster.bootHost0();
  const segment = moved?.segment();
  if (segment !== undefined) moved?.moveTo(cluster.freshIpv4(segment));
  moved?.boot();
  await pass(SETTLE_MS);
  await isWhole();
});

test('two segments, while only the daemon of host0 is down', async () => {
  await clusterOf(2);
  cluster.killDaemon();
  for (const node of cluster.nodes) node.powerOff();
  await pass(1_000);
  for (const node of cluster.nodes) node.boot();
  await pass(START_MS);
  expect(apart()).toEqual([]);
  cluster.startDaemon();
  await pass(SETTLE_MS);
  await isWhole();
});
