/** A node in many meshes, and host0 beside it, while nothing changes: the processor time of both, and that of one mesh. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '../src/lab/cluster/lab.ts';
import type { LabHost } from '../src/lab/hosts/lab-host.ts';
import { pathsBelow } from '../src/protocol/documents/paths.ts';
import type { DaemonName } from '../src/protocol/http/service-manager.ts';
import { compared, type Measurement } from './measurement.ts';
import { cpuSec } from './process-cost.ts';
import { LAB_DEADLINE_MS, type Run } from './run.ts';

const MESHES = 200;
/** After a minute idle code has been compiled, and the first lists are confirmed. */
const SETTLING_MS = 60_000;
/** An audit is made each minute. */
const IDLE_MS = 60_000;
/** Above the VNI of the lab's own mesh, which is the management mesh. */
const FIRST_VNI = 1_000;

/** The processes that are measured. */
const PROCESSES: readonly { readonly name: string; readonly host: number; readonly program: DaemonName }[] = [
  { name: "the node's agent", host: 1, program: 'agent' },
  { name: "host0's daemon", host: 0, program: 'host0' },
  { name: "host0's agent", host: 0, program: 'agent' },
];

/** The benchmark `idle-meshes`. */
export async function idleMeshes(run: Run): Promise<Measurement[]> {
  const one = await idleCosts(run, 1);
  const many = await idleCosts(run, MESHES);
  return PROCESSES.map(({ name }, i) =>
    compared(
      {
        name: `${name} with ${MESHES} idle meshes, against 1 mesh`,
        unit: '%',
        budget: { of: 'value', atMost: 2 },
      },
      [[many[i] ?? Number.NaN, one[i] ?? Number.NaN]],
    ),
  );
}

/** The processor time of each process, in percent of a core. */
async function idleCosts({ signal, stage }: Run, meshes: number): Promise<number[]> {
  await using lab = await Lab.build({
    name: `bench-idle-${process.pid}`,
    nodes: 1,
    segments: 1,
    signal,
    onStage: stage,
  });
  for (const host of lab.hosts) writeMeshes(host, meshes - 1);
  await lab.startAll({ onStage: stage, signal });
  await lab.ready({ onStage: stage, signal, deadlineMs: LAB_DEADLINE_MS });
  stage(`letting ${meshes} meshes settle`);
  await sleep(SETTLING_MS, undefined, { signal });
  const pids = PROCESSES.map(({ host, program }) => {
    const at = lab.hosts[host];
    const mark = at && lab.process(at, program);
    if (mark === undefined) throw new Error(`${program} has ended`);
    return mark.pid;
  });
  const before = pids.map(cpuSec);
  stage(`measuring ${meshes} meshes for ${IDLE_MS / 1000} s`);
  await sleep(IDLE_MS, undefined, { signal });
  return pids.map((pid, i) => ((cpuSec(pid) - (before[i] ?? 0)) / (IDLE_MS / 1000)) * 100);
}

function writeMeshes({ root, role }: LabHost, count: number): void {
  const paths = pathsBelow(root);
  const directory = role === 'host0' ? paths.host0Networks : paths.nodeNetworks;
  for (let i = 0; i < count; i++) {
    const vni = FIRST_VNI + i;
    const lines = [`name=m${vni}`, `prefix=fd00:0:0:${vni.toString(16)}::/64`, `vni=${vni}`, `key=${vni}`];
    writeFileSync(join(directory, `m${vni}.conf`), `${lines.join('\n')}\n`);
  }
}
