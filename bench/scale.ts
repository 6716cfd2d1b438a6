/**
 * `npm run bench:scale [-- --members N --per-second R --json]`: a real host0, daemon and agent, with N simulated members
 * (crowd.ts). Measures a mass join, and what N members cost host0 afterwards.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Interrupt } from '../src/cli/print/interrupt.ts';
import { inNetns, netnsPath } from '../src/kernel/netns.ts';
import { Lab } from '../src/lab/cluster/lab.ts';
import { REPORT_INTERVAL_MS } from '../src/protocol/documents/membership.ts';
import { Crowd } from './crowd.ts';
import { cpuSec, memoryMb } from './process-cost.ts';
import { LAB_DEADLINE_MS } from './run.ts';

const STEADY_MS = 15_000;
/** A pause after the mass join, in which all processes catch up. */
const REST_MS = 5_000;

const { values } = parseArgs({
  options: {
    members: { type: 'string', default: '1000' },
    'per-second': { type: 'string', default: '200' },
    json: { type: 'boolean', default: false },
  },
});
const [members, perSecond] = [Number(values.members), Number(values['per-second'])];
if (![members, perSecond].every((number) => Number.isSafeInteger(number) && number > 0)) {
  throw new TypeError('give whole numbers');
}

const say = (text: string) => process.stderr.write(`${text}\n`);
using interrupt = new Interrupt();
const { signal } = interrupt;
try {
  process.stdout.write(await measure());
} catch (error) {
  if (!signal.aborted) throw error;
  say('interrupted');
}
process.exitCode = interrupt.exitCode;

async function measure(): Promise<string> {
  say('starting a lab of two');
  await using lab = await Lab.up({
    name: `scale-${process.pid}`,
    nodes: 1,
    segments: 1,
    signal,
    deadlineMs: LAB_DEADLINE_MS,
  });
  say(`making ${members} members`);
  await using crowd = await Crowd.open(lab, members);
  const daemon = pidOf(lab, 'host0');
  const agent = pidOf(lab, 'agent');
  const before = { daemon: memoryMb(daemon, 'Rss'), agent: memoryMb(agent, 'Rss') };
  const [cpu, agentCpu] = [cpuSec(daemon), cpuSec(agent)];
  const startMs = performance.now();
  crowd.join(perSecond);
  await joined(crowd);
  const joinSec = (performance.now() - startMs) / 1_000;
  await sleep(REST_MS, undefined, { signal });
  const afterJoin = crowd.count;
  const joinCpu = { daemon: cpuSec(daemon) - cpu, agent: cpuSec(agent) - agentCpu };

  say(`measuring the cost of ${members} idle members`);
  const steadyCpu = { daemon: cpuSec(daemon), agent: cpuSec(agent) };
  const steady = { ...crowd.count };
  const segment = frameBytes(lab);
  const steadyMs = performance.now();
  await sleep(STEADY_MS, undefined, { signal });
  const sec = (performance.now() - steadyMs) / 1_000;
  const share = (cpuSec(daemon) - steadyCpu.daemon) / sec;
  const reports = crowd.count.reports - steady.reports;
  const bytes = frameBytes(lab) - segment;
  const result = {
    members,
    join: {
      sec: rounded(joinSec),
      daemonCpuSec: rounded(joinCpu.daemon),
      agentCpuSec: rounded(joinCpu.agent),
      streamMessages: afterJoin.messages,
      streamMb: rounded(afterJoin.bytes / 1e6),
      refusedOrLost: afterJoin.refused + afterJoin.lost,
    },
    steady: {
      daemonCpuPercent: rounded(share * 100),
      cpuUsPerReport: rounded((share * sec * 1e6) / reports),
      reportsPerSecond: rounded(reports / sec),
      reportsWanted: rounded(members / (REPORT_INTERVAL_MS / 1_000)),
      agentCpuPercent: rounded(((cpuSec(agent) - steadyCpu.agent) / sec) * 100),
      // In both directions on the underlay, with the stream's comments.
      frameBytesPerReport: rounded(bytes / reports),
      streams: crowd.count.streams,
      refusedOrLost: crowd.count.refused + crowd.count.lost - afterJoin.refused - afterJoin.lost,
      daemonMb: rounded(memoryMb(daemon, 'Rss')),
      kbPerMember: rounded(((memoryMb(daemon, 'Rss') - before.daemon) / members) * 1024),
      agentMb: rounded(memoryMb(agent, 'Rss')),
      agentKbPerMember: rounded(((memoryMb(agent, 'Rss') - before.agent) / members) * 1024),
    },
  };
  return `${JSON.stringify(result, null, values.json ? undefined : 2)}\n`;
}

async function joined(crowd: Crowd): Promise<void> {
  const deadlineMs = (members / perSecond) * 1_000 + 120_000;
  let told = 0;
  await crowd.until(deadlineMs, signal, ({ joined: now, streams }) => {
    if (now - told >= 250) {
      told = now;
      say(`${now} of ${members} are members`);
    }
    return now === members && streams === members;
  });
}

/** Bytes that host0's NIC has received and sent so far. */
function frameBytes(lab: Lab): number {
  const { netns, ports } = lab.host('host0');
  const table = inNetns(netnsPath(netns), () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
  const line = table.split('\n').find((each) => each.trim().startsWith(`${ports[0]?.device}:`)) ?? '';
  const fields = line.split(':')[1]?.trim().split(/\s+/).map(Number) ?? [];
  return (fields[0] ?? 0) + (fields[8] ?? 0);
}

function pidOf(lab: Lab, program: 'host0' | 'agent'): number {
  const mark = lab.process(lab.host('host0'), program);
  if (mark === undefined) throw new Error(`${program} of host0 does not run`);
  return mark.pid;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
