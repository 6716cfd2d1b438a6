/** Machines that lose their power together find each other again without host0, as far as they have a disk. */
import { expect, test } from 'vitest';
import { randomFrom } from '../kit/random.ts';
import { Cluster } from './cluster.ts';
import { drifting, live, unreachable, wrongEntries } from './invariants.ts';
import type { SimMachine } from './sim-machine.ts';

/** All have joined, and written down whom they know. */
const CALM_MS = 15_000;
/** An agent starts, and its kernel has what it knows. */
const START_MS = 2_000;
/** Silence, a list that is believed after as long, and what was refused meanwhile. */
const SETTLE_MS = 27_000;

let cluster: Cluster;
let withDisk: SimMachine[];

async function pass(ms: number): Promise<void> {
  await cluster.clock.run(cluster.clock.nowMs() + ms);
}

async function clusterOf(segments: number): Promise<void> {
  cluster = new Cluster({ random: randomFrom(1), agents: 24, segments, networks: 2, trace: false });
  cluster.start();
  await pass(CALM_MS);
  withDisk = cluster.nodes.filter(({ hasDisk }) => hasDisk);
}

/** Pairs that do not reach each other, of those that could know each other. */
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

test('host0 stays away, and who left meanwhile is forgotten when it is back', async () => {
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

test('of two segments, while only the daemon of host0 is away', async () => {
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
