/**
 * `npm run bench [-- --json] [NAME …]`: measures the budgets that the product has, each beside its yardstick in the same
 * run. Needs root and a quiet machine. Exit code 1 when a budget is missed.
 */
import { parseArgs } from 'node:util';
import { commands } from './commands.ts';
import { formatMeasurement, type Measurement } from './measurement.ts';
import { mesh } from './mesh.ts';
import { manyNetworks } from './networks.ts';
import { rows } from './rows.ts';

const BENCHMARKS: Readonly<Record<string, () => Promise<Measurement[]>>> = {
  commands,
  rows,
  networks: manyNetworks,
  mesh,
};

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const names = positionals.length > 0 ? positionals : Object.keys(BENCHMARKS);
const all: Measurement[] = [];
for (const name of names) {
  const benchmark = BENCHMARKS[name];
  if (benchmark === undefined) throw new Error(`there is no benchmark ${name}: ${Object.keys(BENCHMARKS).join(', ')}`);
  for (const measurement of await benchmark()) {
    all.push(measurement);
    if (!values.json) console.log(formatMeasurement(measurement));
  }
}
if (values.json) console.log(JSON.stringify(all, null, 2));
process.exitCode = all.every(({ ok }) => ok) ? 0 : 1;
