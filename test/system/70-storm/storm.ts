/** Plans the faults of a storm from a seed, and makes them on the hosts of a lab, several at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../../../src/lab/cluster/lab.ts';
import { LONG } from '../../kit/long.ts';
import { pick, randomFrom } from '../../kit/random.ts';
import type { PastFault } from './excuse.ts';
import { FAULTS, type FaultKind } from './faults.ts';

/** One fault of the plan. */
export interface Planned {
  readonly kind: string;
  readonly host: string;
  /** Time after the start of the storm. */
  readonly atMs: number;
  readonly lastsMs: number;
}

/** With half of the hosts, half of the faults: the storm is as dense as in the long run. */
const SHARE = LONG ? 1 : 0.5;

/** Makes a plan; the same seed and hosts give the same plan. Every fault ends before `lengthMs`, apart from the time to make and undo it. */
export function forecast(seed: number, hosts: readonly string[], lengthMs: number): Planned[] {
  const random = randomFrom(seed);
  const between = (least: number, most: number) => Math.round(least + random() * (most - least));
  const planned = Object.entries(FAULTS).flatMap(([kind, { on, times, lastsMs = [0, 0] }]) =>
    Array.from({ length: Math.ceil(times * SHARE) }, () => {
      const lasts = between(lastsMs[0], lastsMs[1]);
      const host = on === 'host0' ? 'host0' : pick(random, on === 'nodes' ? hosts.slice(1) : hosts);
      return { kind, host, atMs: between(0, lengthMs - lasts), lastsMs: lasts };
    }),
  );
  return planned.toSorted((a, b) => a.atMs - b.atMs);
}

/** Makes all faults of the plan. @returns them with their real times, in the order of their start @throws AggregateError */
export async function inflictAll(lab: Lab, plan: readonly Planned[]): Promise<PastFault[]> {
  const startMs = performance.now();
  const free = new Map<string, Promise<unknown>>();
  const running = plan.map(({ kind, host, atMs, lastsMs }) => {
    const fault = kindOf(kind);
    // Faults of one part of one host come one after the other, in the order of the plan.
    const queue = `${host} ${fault.part}`;
    const before = free.get(queue);
    const happens = async (): Promise<PastFault> => {
      await sleep(startMs + atMs - performance.now());
      await before;
      return await inflict(lab, kind, host, lastsMs);
    };
    const happening = happens();
    free.set(
      queue,
      happening.catch(() => {}),
    );
    return happening;
  });
  const outcomes = await Promise.allSettled(running);
  const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (failed.length > 0) throw new AggregateError(failed, `${failed.length} faults could not be made: ${failed[0]}`);
  return outcomes
    .flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    .toSorted((a, b) => a.startMs - b.startMs);
}

async function inflict(lab: Lab, kind: string, host: string, lastsMs: number): Promise<PastFault> {
  const { harm, cost, withholds } = kindOf(kind);
  const startMs = performance.now();
  const takeBack = await harm(lab, host);
  await sleep(lastsMs);
  await takeBack();
  const endMs = performance.now();
  return { kind, host, startMs, endMs, cost, ...(withholds !== undefined && { withholds }) };
}

function kindOf(kind: string): FaultKind {
  const fault = FAULTS[kind];
  if (fault === undefined) throw new RangeError(kind);
  return fault;
}
