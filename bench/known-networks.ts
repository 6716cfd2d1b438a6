/**
 * A node that holds ten networks, while host0 knows ten, and while it knows ten thousand: the processor time and the memory of the
 * node's agent, idle and while the others are made.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '../src/lab/cluster/lab.ts';
import { host0Client } from '../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../src/protocol/documents/paths.ts';
import { compared, type Measurement } from './measurement.ts';
import { cpuSec, memoryMb } from './process-cost.ts';
import { LAB_DEADLINE_MS, type Run } from './run.ts';

const HELD = 10;
const OTHERS = 10_000;
/** As many requests are under way at a time. */
const AT_ONCE = 50;
/** After a minute idle code has been compiled. */
const SETTLING_MS = 60_000;
/** An audit is made each minute. */
const IDLE_MS = 60_000;
/** The measurement of an idle agent differs by so much from minute to minute. */
const SAME = 1.25;

interface Cost {
  readonly idlePercent: number;
  readonly memoryMb: number;
}

/** The benchmark `known-networks`. */
export async function knownNetworks({ signal, stage }: Run): Promise<Measurement[]> {
  await using lab = await Lab.build({
    ...{ name: `bench-known-${process.pid}`, nodes: 1, segments: 1 },
    ...{ signal, onStage: stage },
  });
  await lab.startAll({ onStage: stage, signal });
  await lab.ready({ onStage: stage, signal, deadlineMs: LAB_DEADLINE_MS });
  const client = host0Client(pathsBelow(lab.host('host0').root));
  const create = (name: string, span: object) =>
    client.ask('POST /v1/catalogue', { body: { name, peers: { kind: 'assigned' }, ...span } });
  for (let i = 0; i < HELD; i++) await create(`held${i}`, { span: { kind: 'nodes', nodes: ['node1'] } });
  const mark = lab.process(lab.host('node1'), 'agent');
  if (mark === undefined) throw new Error('the agent of node1 has ended');
  const { pid } = mark;
  const cost = async (what: string): Promise<Cost> => {
    stage(`letting ${what} settle`);
    await sleep(SETTLING_MS, undefined, { signal });
    const before = cpuSec(pid);
    stage(`measuring ${what} for ${IDLE_MS / 1_000} s`);
    await sleep(IDLE_MS, undefined, { signal });
    return { idlePercent: ((cpuSec(pid) - before) / (IDLE_MS / 1_000)) * 100, memoryMb: memoryMb(pid, 'Rss') };
  };
  const few = await cost(`${HELD} networks`);
  stage(`making ${OTHERS} networks that the node does not hold`);
  const [beforeSec, startMs] = [cpuSec(pid), performance.now()];
  let next = 0;
  const creator = async () => {
    while (next < OTHERS && !signal.aborted) await create(`other${next++}`, {});
  };
  await Promise.all(Array.from({ length: AT_ONCE }, creator));
  const meanwhilePercent = ((cpuSec(pid) - beforeSec) / ((performance.now() - startMs) / 1_000)) * 100;
  const many = await cost(`${HELD} of ${HELD + OTHERS} networks`);
  const named = (name: string, unit: '%' | 'MB') =>
    ({
      name: `agent with ${HELD} networks, ${name}, against without`,
      unit,
      budget: { of: 'ratio', atMost: SAME },
    }) as const;
  return [
    compared(named(`host0 knowing ${OTHERS} others`, '%'), [[many.idlePercent, few.idlePercent]]),
    compared(named(`while ${OTHERS} others are made`, '%'), [[meanwhilePercent, few.idlePercent]]),
    compared(named(`memory, host0 knowing ${OTHERS} others`, 'MB'), [[many.memoryMb, few.memoryMb]]),
  ];
}
