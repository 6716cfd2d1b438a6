/**
 * `npm run sim -- --seed N [--seeds COUNT] [--agents M] [--faults K] [--trace] [--json]`: runs simulated clusters and
 * prints the violated invariants. The same seed and number of agents give the same run.
 */
import { parseArgs } from 'node:util';
import { type RunResult, simulate } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    agents: { type: 'string', default: '24' },
    faults: { type: 'string', default: '8' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [first, count, agents, faults] = [values.seed, values.seeds, values.agents, values.faults].map(Number);
if (![first, count, agents, faults].every(Number.isSafeInteger)) throw new TypeError('give whole numbers');

const results: Omit<RunResult, 'timeline'>[] = [];
for (let seed = first ?? 1; seed < (first ?? 1) + (count ?? 1); seed++) {
  const run = { seed, agents: agents ?? 24, faults: faults ?? 8, trace: values.trace };
  const { timeline, ...result } = await simulate(run);
  results.push(result);
  if (values.json) continue;
  if (values.trace || (count === 1 && result.violations.length > 0)) process.stdout.write(timeline);
  const verdict = result.violations.length === 0 ? 'well' : 'NOT WELL';
  process.stdout.write(
    `seed ${seed}: ${verdict}, all entries right ${result.settledMs / 1_000} s after the last fault\n`,
  );
  for (const violation of result.violations) process.stdout.write(`  ${violation}\n`);
}
if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
process.exitCode = results.some(({ violations }) => violations.length > 0) ? 1 : 0;
