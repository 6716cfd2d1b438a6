/** A whole mesh: how fast a join reaches every member's kernel, and packets lost over restarts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { netnsPath } from '../src/kernel/netns.ts';
import { Lab } from '../src/lab/cluster/lab.ts';
import type { LabHost } from '../src/lab/hosts/lab-host.ts';
import { Pings } from '../test/system/pings.ts';
import { until } from '../test/system/until.ts';
import { Crowd } from './crowd.ts';
import { watchEntry } from './entry-watch.ts';
import { type Measurement, measured, percentile } from './measurement.ts';
import { cpuSec } from './process-cost.ts';
import { LAB_DEADLINE_MS, type Run, unlessStopped } from './run.ts';

const AGENTS = 20;
const JOINS = 20;
const PING_EVERY_MS = 1;
/** Streams of the agents and of the crowd's members together. */
const STREAMS = 200;
const CROWD_PER_SECOND = 50;
const CROWD_DEADLINE_MS = 60_000;
/** Five times what a daemon on a busy machine needs until it answers. */
const ANSWER_DEADLINE_MS = 30_000;
/** Long enough for several reports, pings and comments of the stream. */
const IDLE_MS = 10_000;
/** After this time an agent has had two lists nine seconds apart, and has checked the entries that it found at its start. */
const SETTLED_MS = 15_000;

/** The benchmark `mesh`. */
export async function mesh(run: Run): Promise<Measurement[]> {
  const { signal, stage } = run;
  await using lab = await Lab.up({
    name: `bench-${process.pid}`,
    nodes: AGENTS,
    segments: 2,
    signal,
    onStage: stage,
    deadlineMs: LAB_DEADLINE_MS,
  });
  stage(`an agent leaves and joins, ${JOINS} times`);
  const [joined, cost] = await costingJoins(lab, run);
  stage('restarts under pings');
  const restarted = await restarts(lab, signal);
  stage(`${STREAMS - AGENTS} more members join`);
  await using crowd = await Crowd.open(lab, STREAMS - AGENTS);
  crowd.join(CROWD_PER_SECOND);
  await crowd.until(CROWD_DEADLINE_MS, signal, ({ streams }) => streams === STREAMS - AGENTS);
  stage(`an agent leaves and joins among ${STREAMS} streams, ${JOINS} times`);
  return [joined, cost, await joins(lab, run, STREAMS, 60), ...restarted];
}

/** As `joins`. Measures also the processor time of an agent for each join of another, without what it needs when it is idle. */
async function costingJoins(lab: Lab, run: Run): Promise<[Measurement, Measurement]> {
  const agents = lab.hosts.slice(2).flatMap((host) => lab.process(host, 'agent')?.pid ?? []);
  const spent = async <T>(work: () => Promise<T>) => {
    const [startMs, before] = [performance.now(), agents.map(cpuSec)];
    const result = await work();
    const sec = (performance.now() - startMs) / 1_000;
    return { result, sec, cpuMs: agents.map((pid, i) => (cpuSec(pid) - (before[i] ?? 0)) * 1_000) };
  };
  const idle = await spent(() => sleep(IDLE_MS, undefined, { signal: run.signal }));
  const joining = await spent(() => joins(lab, run, AGENTS, 20));
  // Each round is a join and a leave, which cost the same: four entries, and one change of set elements.
  const costs = joining.cpuMs.map((ms, i) => (ms - ((idle.cpuMs[i] ?? 0) / idle.sec) * joining.sec) / (2 * JOINS));
  const name = 'processor time of an agent for a join or a leave';
  return [joining.result, measured({ name, unit: 'ms', budget: { of: 'value', atMost: 2 } }, costs)];
}

/** Lets an agent leave and join again. Measures the time from the first kernel with its entry to each of the others. */
async function joins(lab: Lab, { signal, stage }: Run, streams: number, atMost: number): Promise<Measurement> {
  const [, joiner, ...others] = lab.hosts;
  if (joiner === undefined) throw new RangeError('no node');
  const values: number[] = [];
  for (let round = 0; round < JOINS; round++) {
    await unlessStopped(signal, leave(lab, joiner, others));
    values.push(...(await unlessStopped(signal, joinOnce(lab, joiner, others))));
  }
  stage(`p50 ${percentile(values, 0.5).toFixed(1)} ms, p99 ${percentile(values, 0.99).toFixed(1)} ms`);
  const name = `join → entry in every kernel, p99 of ${AGENTS - 1} agents among ${streams} streams`;
  return measured({ name, unit: 'ms', budget: { of: 'value', atMost } }, values, percentile(values, 0.99));
}

async function leave(lab: Lab, joiner: LabHost, others: readonly LabHost[]): Promise<void> {
  const gone = watchEntry(others, joiner, true);
  await lab.exec(joiner, ['sh', '-c', 'mv "$MESH_ROOT/var/pxen/networks/manage.conf" "$MESH_ROOT/manage.conf"']);
  await gone;
}

/** Times since the first kernel got the entry, which is host0's own or that of the fastest agent. */
async function joinOnce(lab: Lab, joiner: LabHost, others: readonly LabHost[]): Promise<number[]> {
  const seen = watchEntry([...lab.hosts.slice(0, 1), ...others], joiner, false);
  await lab.exec(joiner, ['sh', '-c', 'mv "$MESH_ROOT/manage.conf" "$MESH_ROOT/var/pxen/networks/manage.conf"']);
  const [firstMs = 0, ...timesMs] = (await seen).toSorted((a, b) => a - b);
  return timesMs.map((timeMs) => timeMs - firstMs);
}

/** Pings between two nodes while a node's agent, host0's agent and host0's daemon (with its store) are killed and restarted. */
async function restarts(lab: Lab, signal: AbortSignal): Promise<Measurement[]> {
  const [host0, node, other] = lab.hosts;
  if (host0 === undefined || node === undefined || other === undefined) throw new RangeError('too few hosts');
  using pings = await Pings.start(netnsPath(node.netns), other.member.ipv6, PING_EVERY_MS);
  for (const [host, program, asked] of [
    [node, 'agent', 'plan'],
    [host0, 'agent', 'plan'],
    [host0, 'host0', 'network list'],
  ] as const) {
    await lab.stop(host, program);
    lab.start(host, program);
    await until(`${program} of ${host.name} answers`, ANSWER_DEADLINE_MS, async () => {
      signal.throwIfAborted();
      return (await lab.exec(host, ['mesh', ...asked.split(' ')])).code === 0;
    });
  }
  await sleep(SETTLED_MS, undefined, { signal });
  const lost = countOf(await pings.lost());
  const name = "pings lost, one a millisecond, while an agent, host0's agent and host0 restart";
  return [measured({ name, unit: 'packets', budget: { of: 'value', atMost: 0 } }, [lost])];
}

/** @param spans as `Pings.lost` gives them: `165-520 800-801` */
function countOf(spans: string): number {
  return spans
    .split(' ')
    .filter(Boolean)
    .map((span) => span.split('-').map(Number))
    .reduce((sum, [first = 0, last = first]) => sum + last - first + 1, 0);
}
