/** Many clusters, on all cores, each befallen by faults of its own; a seed that fails is run again with `npm run sim -- --seed N --trace`. */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FAULTS } from './faults.ts';
import type { RunResult } from './simulation.ts';

type Result = Omit<RunResult, 'timeline'>;

const RUN = join(import.meta.dirname, 'run.ts');
/** Every kind of fault occurs so often, or the run proves little. */
const EACH_FAULT_MIN = 20;
/** As many as fit, with the one of 100, in a minute on two cores. */
const SEEDS = 80;

function runSeeds(seed: number, seeds: number, agents: number, faults: number): Promise<Result[]> {
  const options = Object.entries({ seed, seeds, agents, faults }).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const child = spawn(process.execPath, [RUN, '--json', ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('close', () => {
      try {
        resolve(JSON.parse(text) as Result[]);
      } catch {
        reject(new Error(`seeds ${seed} to ${seed + seeds - 1} ended without a result`));
      }
    });
  });
}

/** Seeds 1 to `seeds`, shared among the cores. */
async function runAll(seeds: number, agents: number, faults: number): Promise<Result[]> {
  const cores = Math.min(availableParallelism(), seeds);
  const share = Math.ceil(seeds / cores);
  const runs = Array.from({ length: cores }, (_, core) => {
    const first = 1 + core * share;
    return runSeeds(first, Math.min(share, seeds - first + 1), agents, faults);
  });
  return (await Promise.all(runs)).flat();
}

function failuresOf(results: readonly Result[]): string[] {
  return results.flatMap(({ seed, violations }) => violations.map((violation) => `seed ${seed}: ${violation}`));
}

test.concurrent('clusters of 24 are whole again after whatever befell them', { timeout: 400_000 }, async () => {
  const results = await runAll(SEEDS, 24, 12);
  const counts = Object.keys(FAULTS).map((kind) => {
    const count = results.reduce((sum, { faults }) => sum + (faults[kind] ?? 0), 0);
    return { kind, count };
  });
  const list = counts.map(({ kind, count }) => `${kind} ${count}`).join(', ');
  process.stdout.write(`${results.length} clusters of 24 nodes: ${list}\n`);
  expect(failuresOf(results)).toEqual([]);
  expect(counts.filter(({ count }) => count < EACH_FAULT_MIN)).toEqual([]);
});

test.concurrent('a cluster of 100 is, too', { timeout: 400_000 }, async () => {
  expect(failuresOf(await runAll(1, 100, 12))).toEqual([]);
});
