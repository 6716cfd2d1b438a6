/** How long the main thread of an agent is blocked while its loop deletes and creates many links. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { itemsOf, networksFrom, UNDERLAY } from './many-networks.ts';
import { compared, type Measurement, measured, timed } from './measurement.ts';
import { BenchNode } from './node.ts';
import { inPlace } from './place.ts';
import type { Run } from './run.ts';

/** Numbers of networks; each has two links, a VXLAN and a bridge. */
const DELETED = 100;
const CREATED = 10;
const ROUNDS = 3;
/** Pause between two creations: so short that the last network is created while links are still being deleted. */
const PAUSE_MS = 20;
const DEADLINE_MS = 60_000;
const NANOSECONDS = 1e6;

/** The benchmark `stall`. */
export async function stall({ signal, stage }: Run): Promise<Measurement[]> {
  const stalls: [number, number][] = [];
  const creates: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    stage(`round ${round} of ${ROUNDS}`);
    const { busyMs, idleMs, createMs } = await inPlace(UNDERLAY, (netns) => deleteAndCreate(netns, signal));
    stalls.push([busyMs, idleMs]);
    creates.push(...createMs);
  }
  const links = `${2 * DELETED} links are deleted and ${2 * CREATED} created`;
  return [
    compared({ name: `main thread stalled while ${links}`, unit: 'ms', budget: { of: 'value', atMost: 30 } }, stalls),
    measured({ name: 'a network created meanwhile', unit: 'ms', budget: { of: 'value', atMost: 150 } }, creates),
  ];
}

/** The longest time that the main thread was blocked: while it works (`busyMs`), and idle for the same time (`idleMs`). */
async function deleteAndCreate(
  netns: string,
  signal: AbortSignal,
): Promise<{ busyMs: number; idleMs: number; createMs: number[] }> {
  let items = itemsOf(networksFrom(1, DELETED));
  await using node = await BenchNode.open(netns, () => items);
  const { reconciler } = node;
  await reconciler.start();
  const beingDeleted = () => reconciler.cache.links.values().some(({ name }) => name.startsWith('mwx'));
  const createMs: number[] = [];
  let tookMs = 0;
  const busyMs = await longestStallMs(async () => {
    tookMs = await timed(async () => {
      items = new Map();
      await reconciler.wake();
      for (let created = 1; created <= CREATED; created++) {
        items = new Map([...items, ...itemsOf(networksFrom(DELETED + created, 1))]);
        if (!beingDeleted()) throw new Error('the links were deleted before the networks were created');
        createMs.push(await timed(() => reconciler.wake()));
        await sleep(PAUSE_MS, undefined, { signal });
      }
      const deadlineMs = performance.now() + DEADLINE_MS;
      while (beingDeleted()) {
        if (performance.now() > deadlineMs) throw new Error(`links are not deleted within ${DEADLINE_MS} ms`);
        await sleep(PAUSE_MS, undefined, { signal });
      }
    });
  });
  const idleMs = await longestStallMs(() => sleep(tookMs, undefined, { signal }));
  return { busyMs, idleMs, createMs };
}

async function longestStallMs(body: () => Promise<void>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await body();
  delay.disable();
  return delay.max / NANOSECONDS;
}
