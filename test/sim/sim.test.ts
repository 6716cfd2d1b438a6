/**
 * Runs many simulated clusters on all cores, each with its own random faults, and proves that all are whole again at
 * the end. To run a failed seed again: `npm run sim -- --seed N --trace`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism, setPriority } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LONG } from '../kit/long.ts';
import { FAULTS } from './faults.ts';
import type { RunResult } from './simulation.ts';

type Result = Omit<RunResult, 'timeline'>;

/** The seeds that one process runs, one after the other. */
interface Share {
  readonly seed: number;
  readonly seeds: number;
  readonly agents: number;
}

const RUN = join(import.meta.dirname, 'run.ts');
/**
 * `npm run test:long` runs all clusters, `npm test` as many as show each kind of fault. The time of a cluster grows with the
 * square of its machines: small clusters show more faults in the same time.
 */
const FAULTS_EACH = LONG ? 12 : 16;
const SMALL = LONG ? { agents: 24, seeds: 500 } : { agents: 12, seeds: 12 };
const LARGE = LONG ? { agents: 300, seeds: 3 } : { agents: 48, seeds: 1 };
/** If a kind of fault occurs less often, the run proves little about it. */
const EACH_FAULT_MIN = LONG ? 20 : 3;
/**
 * Small clusters per process: so many that the start of a process does not matter, and so few that all cores end
 * together.
 */
const SHARE = LONG ? 20 : 6;
/** Gives a run a third of the CPU time that a competing process of normal priority gets. */
const NICE = 5;

/** Five times what all clusters take on two slow cores. */
const DEADLINE_MS = 3_600_000;

const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill();
});

function run({ seed, seeds, agents }: Share): Promise<Result[]> {
  const options = Object.entries({ seed, seeds, agents, faults: FAULTS_EACH });
  const words = options.flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const child = spawn(process.execPath, [RUN, '--json', ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  // The simulation does not depend on real time. Tests that run beside it do.
  if (child.pid !== undefined) setPriority(child.pid, NICE);
  running.add(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('close', () => {
      running.delete(child);
      try {
        resolve(JSON.parse(text) as Result[]);
      } catch {
        reject(new Error(`seeds ${seed} to ${seed + seeds - 1} of ${agents} agents ended without a result`));
      }
    });
  });
}

/** Runs one process on each core until no share is left. The large clusters take longest, so they come first. */
async function runAll(): Promise<Map<number, Result[]>> {
  const large = Array.from({ length: LARGE.seeds }, (_, i) => ({ seed: 1 + i, seeds: 1, agents: LARGE.agents }));
  const small = Array.from({ length: SMALL.seeds / SHARE }, (_, i) => ({
    seed: 1 + i * SHARE,
    seeds: SHARE,
    agents: SMALL.agents,
  }));
  const waiting: Share[] = [...large, ...small];
  const results = new Map<number, Result[]>();
  const worker = async () => {
    for (let share = waiting.shift(); share !== undefined; share = waiting.shift()) {
      const done = await run(share);
      results.set(share.agents, [...(results.get(share.agents) ?? []), ...done]);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
}

function failuresOf(results: readonly Result[]): string[] {
  return results.flatMap(({ seed, violations }) => violations.map((violation) => `seed ${seed}: ${violation}`));
}

let results: ReadonlyMap<number, readonly Result[]>;

beforeAll(async () => {
  const startedMs = performance.now();
  results = await runAll();
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
  process.stdout.write(
    `${SMALL.seeds} clusters of ${SMALL.agents} and ${LARGE.seeds} of ${LARGE.agents} in ${seconds} s\n`,
  );
}, DEADLINE_MS);

test(`clusters of ${SMALL.agents} are whole again after their faults`, () => {
  const small = results.get(SMALL.agents) ?? [];
  expect(small.length).toBe(SMALL.seeds);
  expect(failuresOf(small)).toEqual([]);
});

test(`clusters of ${LARGE.agents} are whole again after their faults`, () => {
  const large = results.get(LARGE.agents) ?? [];
  expect(large.length).toBe(LARGE.seeds);
  expect(failuresOf(large)).toEqual([]);
});

test('each kind of fault has occurred often enough', () => {
  const counts = Object.keys(FAULTS).map((kind) => {
    const count = [...results.values()].flat().reduce((sum, { faults }) => sum + (faults[kind] ?? 0), 0);
    return { kind, count };
  });
  process.stdout.write(`${counts.map(({ kind, count }) => `${kind} ${count}`).join(', ')}\n`);
  expect(counts.filter(({ count }) => count < EACH_FAULT_MIN)).toEqual([]);
});
