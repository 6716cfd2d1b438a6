/**
 * The faults of ten minutes in one minute, on a cluster of seven hosts, or twelve in the long run. `MESH_SEED=N npm run
 * storm` gives other faults. A seed always gives the same plan; its exact course depends on the machine.
 */
import { beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { LONG } from '../../kit/long.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { becomesAgain, kernelPicture } from '../kernel-picture.ts';
import { PingSet } from '../ping-set.ts';
import { allTalk, areListed } from '../talk.ts';
import { belongings, makeBelongings } from './belongings.ts';
import { excuses, type PastFault } from './excuse.ts';
import { MachineLosses } from './machine-losses.ts';
import { complaints, summary } from './report.ts';
import { stateDiskOf } from './state-disk.ts';
import { forecast, inflictAll } from './storm.ts';

const SEED = Number(process.env.MESH_SEED ?? 1);
const NODES = LONG ? 11 : 6;
const LENGTH_MS = LONG ? 40_000 : 30_000;
/** Two seconds on an idle machine; other tests run beside this one. */
const READY_DEADLINE_MS = 60_000;

/**
 * The pairs that ping. Every host is in one: on one segment, on two segments with host0 as the router, and with host0
 * itself. No ping starts at host0: a node that has lost host0 must resolve host0's address before it answers. The waiting
 * answers would fill the socket from which the kernel answers echoes, one for each processor for all namespaces together.
 */
const PAIRS: readonly (readonly [string, string])[] = [
  ['node1', 'node3'],
  ['node2', 'node4'],
  ['node5', 'node6'],
  ...(LONG
    ? ([
        ['node10', 'node7'],
        ['node9', 'host0'],
        ['node8', 'host0'],
        ['node11', 'node2'],
      ] as const)
    : ([['node6', 'host0']] as const)),
];

const shared = forAllTests();
let lab: Lab;
/** The state of each host before the storm. */
const before = new Map<string, { readonly kernel: string; readonly theirs: string }>();

beforeAll(async () => {
  lab = shared.use(await Lab.build({ name: `storm-${process.pid}`, nodes: NODES, segments: 2 }));
  for (const host of lab.hosts) {
    const disk = stateDiskOf(host);
    disk.mount();
    shared.defer(() => disk.unmount());
  }
  await lab.startAll();
  await lab.ready({ deadlineMs: READY_DEADLINE_MS });
  await Promise.all(lab.hosts.map((host) => makeBelongings(lab, host)));
  await Promise.all(lab.hosts.map(isReady));
  await noDrift(lab.hosts);
  for (const host of lab.hosts) {
    before.set(host.name, { kernel: await kernelPicture(lab, host), theirs: await belongings(lab, host) });
  }
});

function beforeOf({ name }: LabHost) {
  const known = before.get(name);
  if (known === undefined) throw new RangeError(name);
  return known;
}

test(`storm ${SEED}: only excused packets are lost, and all is as before`, async () => {
  const pairs = PAIRS.map(([from, to]) => ({ from: lab.host(from), to: lab.host(to) }));
  using pings = await PingSet.start(...pairs.map(({ from, to }) => [from, to] as const));
  using machine = new MachineLosses(lab.hosts);
  const startMs = performance.now();
  const plan = forecast(
    SEED,
    lab.hosts.map(({ name }) => name),
    LENGTH_MS,
  );
  const faults: PastFault[] = await inflictAll(lab, plan);
  await allTalk(lab);
  await areListed(lab, lab.host('node1'), lab.hosts.slice(1));
  await Promise.all(lab.hosts.map(isReady));
  await noDrift(lab.hosts);
  const losses = await pings.losses();
  const seen = {
    startMs,
    faults,
    excuses: excuses(faults),
    pairs: pairs.map((pair, index) => ({ pair, losses: losses[index] ?? [], machine: machine.of(pair.to) })),
  };
  process.stdout.write(`storm ${SEED}: ${summary(seen)}\n`);
  const wrong = complaints(seen);
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
  for (const host of lab.hosts) {
    await becomesAgain(lab, host, beforeOf(host).kernel);
    expect(await belongings(lab, host)).toBe(beforeOf(host).theirs);
  }
});
