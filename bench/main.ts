/**
 * `npm run bench [-- [--json] [--against FILE] [NAME …]]`: checks the performance budgets, each with its yardstick in the
 * same run. Needs root and a quiet machine. Exit code 1 if a budget is missed or a benchmark failed, 130 after Ctrl-C.
 * docs/performance.md explains every figure.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { paintFor } from '../src/cli/print/color.ts';
import { Interrupt } from '../src/cli/print/interrupt.ts';
import { agent } from './agent.ts';
import { boot } from './boot.ts';
import { bootHttp } from './boot-http.ts';
import { channels } from './channels.ts';
import { clusters } from './clusters.ts';
import { commands } from './commands.ts';
import { creators } from './creators.ts';
import { entries } from './fdb-entries.ts';
import { guestPorts } from './guest-ports.ts';
import { idleMeshes } from './idle-meshes.ts';
import { knownNetworks } from './known-networks.ts';
import { libvirt } from './libvirt.ts';
import type { Measurement } from './measurement.ts';
import { mesh } from './mesh.ts';
import { mirror } from './mirror.ts';
import { manyNetworks } from './networks.ts';
import { overlays } from './overlays.ts';
import { formatChanges, formatMeasurements } from './report.ts';
import type { Benchmark } from './run.ts';
import { stall } from './stall.ts';
import { throughput } from './throughput.ts';

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  commands,
  entries,
  networks: manyNetworks,
  stall,
  throughput,
  mesh,
  agent,
  'idle-meshes': idleMeshes,
  channels,
  creators,
  'known-networks': knownNetworks,
  ports: guestPorts,
  libvirt,
  'boot-http': bootHttp,
  overlays,
  mirror,
  boot,
  clusters,
};
const ERASE_LINE = '\r\x1b[K';

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false }, against: { type: 'string' } },
  allowPositionals: true,
});
const chosen = (positionals.length > 0 ? positionals : Object.keys(BENCHMARKS)).map((name) => {
  const benchmark = BENCHMARKS[name];
  if (benchmark === undefined) throw new Error(`there is no benchmark ${name}: ${Object.keys(BENCHMARKS).join(', ')}`);
  return { name, benchmark };
});
const before =
  values.against === undefined ? undefined : (JSON.parse(readFileSync(values.against, 'utf8')) as Measurement[]);

const { stderr } = process;
const say = (text: string) => stderr.write(stderr.isTTY ? `${ERASE_LINE}${text}` : `${text}\n`);
const all: Measurement[] = [];
using interrupt = new Interrupt();
const { signal } = interrupt;
let failed = false;
for (const { name, benchmark } of chosen) {
  if (signal.aborted) break;
  try {
    all.push(...(await benchmark({ signal, stage: (what) => say(`${name}: ${what}`) })));
  } catch (error) {
    if (signal.aborted) say('interrupted: the results so far follow\n');
    else say(`${name} failed: ${error instanceof Error ? error.message : String(error)}\n`);
    failed = true;
  }
}
if (stderr.isTTY) stderr.write(ERASE_LINE);
process.stdout.write(
  values.json ? `${JSON.stringify(all, null, 2)}\n` : formatMeasurements(all, paintFor(process.stdout)),
);
if (before !== undefined) process.stderr.write(formatChanges(before, all));
process.exitCode = interrupt.exitCode || (failed || all.some(({ ok }) => !ok) ? 1 : 0);
