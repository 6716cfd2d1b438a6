/** Faults from a seed, upon the hosts of a lab, one after another and several at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../../../src/lab/cluster/lab.ts';
import { pick, randomFrom } from '../../kit/random.ts';
import type { Befallen } from './excuse.ts';
import { FAULTS, type FaultKind } from './faults.ts';

/** When what will befall whom. */
export interface Planned {
  readonly kind: string;
  readonly host: string;
  /** After the beginning of the storm. */
  readonly atMs: number;
  readonly lastsMs: number;
}

/** The same seed and hosts give the same plan. Every fault is over by itself before `lengthMs`, were it done in a moment. */
export function forecast(seed: number, hosts: readonly string[], lengthMs: number): Planned[] {
  const random = randomFrom(seed);
  const between = (least: number, most: number) => Math.round(least + random() * (most - least));
  const planned = Object.entries(FAULTS).flatMap(([kind, { on, times, lastsMs = [0, 0] }]) =>
    Array.from({ length: times }, () => {
      const lasts = between(lastsMs[0], lastsMs[1]);
      const host = on === 'host0' ? 'host0' : pick(random, on === 'nodes' ? hosts.slice(1) : hosts);
      return { kind, host, atMs: between(0, lengthMs - lasts), lastsMs: lasts };
    }),
  );
  return planned.toSorted((a, b) => a.atMs - b.atMs);
}

/** Lets it all happen. @returns what happened, in the order of its beginning */
export async function rage(lab: Lab, plan: readonly Planned[]): Promise<Befallen[]> {
  const startMs = performance.now();
  const free = new Map<string, Promise<unknown>>();
  const befalls = plan.map(({ kind, host, atMs, lastsMs }) => {
    const fault = kindOf(kind);
    // What befalls one part of one host does so in the order of the plan.
    const turn = `${host} ${fault.part}`;
    const before = free.get(turn);
    const happens = async (): Promise<Befallen> => {
      await sleep(startMs + atMs - performance.now());
      await before;
      return await befall(lab, kind, host, lastsMs);
    };
    const happening = happens();
    free.set(
      turn,
      happening.catch(() => {}),
    );
    return happening;
  });
  const outcomes = await Promise.allSettled(befalls);
  const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (failed.length > 0) throw new AggregateError(failed, `${failed.length} faults could not be made: ${failed[0]}`);
  return outcomes
    .flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    .toSorted((a, b) => a.startMs - b.startMs);
}

async function befall(lab: Lab, kind: string, host: string, lastsMs: number): Promise<Befallen> {
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
