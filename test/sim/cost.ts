/**
 * `npm run sim:cost [-- --agents N --networks M --seed S]`: counts the cost of a simulated cluster in its first 30
 * seconds, and compares the cost model with it. Exit code 1 when the two differ by more than a quarter.
 */
import { parseArgs } from 'node:util';
import { COSTS, countedCost } from './counted-cost.ts';

const TOLERANCE = 0.25;

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '1000' },
    networks: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
  },
});
const [agents, networks, seed] = [Number(values.agents), Number(values.networks), Number(values.seed)];
if (![agents, networks, seed].every(Number.isSafeInteger)) throw new TypeError('give whole numbers');

const startMs = performance.now();
const { predicted, counted } = await countedCost(agents, networks, { seed });
const sec = Math.round((performance.now() - startMs) / 1_000);
process.stdout.write(`${agents} agents, ${networks} network(s), seed ${seed}: simulated in ${sec} s\n`);
for (const cost of COSTS) {
  const percent = (predicted[cost] / counted[cost] - 1) * 100;
  const words = [cost.padEnd(10), `counted ${counted[cost]}`, `predicted ${Math.round(predicted[cost])}`];
  process.stdout.write(`${words.join('  ')}  ${percent >= 0 ? '+' : ''}${percent.toFixed(1)} %\n`);
  if (Math.abs(percent) > TOLERANCE * 100) process.exitCode = 1;
}
