/** How long `mesh` commands take with a daemon that answers, against the shortest possible run of Node. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { Lab } from '../src/lab/cluster/lab.ts';
import { hostEnvironment } from '../src/lab/hosts/host-process.ts';
import { compared, type Measurement, timed } from './measurement.ts';
import { interleaved, LAB_DEADLINE_MS, type Run } from './run.ts';

const RUNS = 20;
const MESH = resolve(import.meta.dirname, '../bin/mesh');

/** The benchmark `commands`. */
export async function commands(run: Run): Promise<Measurement[]> {
  run.stage('starting a lab of two');
  await using lab = await Lab.up({
    name: `bench-${process.pid}`,
    nodes: 1,
    segments: 1,
    signal: run.signal,
    deadlineMs: LAB_DEADLINE_MS,
  });
  const env = hostEnvironment(lab.host('host0').root);
  const spawn = (command: string, words: readonly string[]) => {
    const { status, stderr } = spawnSync(command, words, { env, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
  };
  const times = (...words: string[]) => {
    const mine = () => timed(() => spawn(MESH, words));
    const least = () => timed(() => spawn(process.execPath, ['-e', '0']));
    // The first run compiles the program, and is not measured.
    spawn(MESH, words);
    return interleaved(run, RUNS, `mesh ${words.join(' ')}`, mine, least);
  };
  return [
    compared({ name: 'mesh --version', unit: 'ms', budget: { of: 'value', atMost: 80 } }, await times('--version')),
    compared(
      { name: 'mesh network list', unit: 'ms', budget: { of: 'value', atMost: 120 } },
      await times('network', 'list'),
    ),
  ];
}
