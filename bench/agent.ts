/** Memory and processor time of idle agents, as they are installed: the bundle, started by `mesh`. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Lab } from '../src/lab/cluster/lab.ts';
import { Installation } from './installation.ts';
import { type Measurement, measured } from './measurement.ts';
import { cpuSec, memoryMb } from './process-cost.ts';
import type { Run } from './run.ts';

const AGENTS = 20;
/** After a minute the code of an idle agent has been compiled and one audit made: its memory has stopped growing. */
const SETTLING_MS = 70_000;
/** Long enough for several reports and comments of the stream. */
const IDLE_MS = 15_000;

/** The benchmark `agent`. */
export async function agent({ signal, stage }: Run): Promise<Measurement[]> {
  const name = `bench-agent-${process.pid}`;
  stage('building the bundle');
  using installed = await Installation.make();
  const mesh = (...words: string[]) => promisify(execFile)(installed.command, words, { env: installed.environment });
  signal.throwIfAborted();
  stage(`starting ${AGENTS} agents`);
  await mesh('lab', 'up', '--name', name, '--nodes', String(AGENTS), '--keep');
  try {
    stage('letting them settle');
    await sleep(SETTLING_MS, undefined, { signal });
    stage(`measuring the idle agents for ${IDLE_MS / 1000} s`);
    return await costs(Lab.open(name), signal);
  } finally {
    await mesh('lab', 'down', '--name', name);
  }
}

async function costs(lab: Lab, signal: AbortSignal): Promise<Measurement[]> {
  const pids = lab.hosts.slice(1).flatMap((host) => lab.process(host, 'agent')?.pid ?? []);
  const before = pids.map(cpuSec);
  await sleep(IDLE_MS, undefined, { signal });
  const idle = pids.map((pid, i) => ((cpuSec(pid) - (before[i] ?? 0)) / (IDLE_MS / 1000)) * 100);
  return [
    measured(
      { name: 'agent, RSS', unit: 'MB', budget: { of: 'value', atMost: 75 } },
      pids.map((pid) => memoryMb(pid, 'Rss')),
    ),
    measured(
      { name: `agent, PSS beside ${AGENTS - 1} others`, unit: 'MB', budget: { of: 'value', atMost: 25 } },
      pids.map((pid) => memoryMb(pid, 'Pss')),
    ),
    measured({ name: 'agent, processor while idle', unit: '%', budget: { of: 'value', atMost: 0.2 } }, idle),
  ];
}
