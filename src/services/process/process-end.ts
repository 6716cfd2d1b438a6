/** The end of a process together with all that it has started. */
import { rmSync } from 'node:fs';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { groupMembers, groupOf, killMembers, removeGroup, sessionMembers } from './process-group.ts';
import { isRunning, type ProcessMark, signalProcess } from './process-mark.ts';
import type { ProcessRecord } from './process-record.ts';
import type { ProcessSpec } from './process-spec.ts';

const STOP_SEC = 3;
/** How long a process may take to end after SIGKILL. */
const KILL_MS = 3_000;
const LOOK_MS = 10;

interface Ending {
  readonly name: string;
  readonly clock: Clock;
  readonly recordFile: string;
  readonly record: ProcessRecord;
}

/** How a spec wants its process to be ended. */
export function stopOf(spec: ProcessSpec | undefined): Pick<ProcessSpec, 'stopSec' | 'stopSignal'> {
  const { stopSec, stopSignal } = spec ?? {};
  return { ...(stopSec !== undefined && { stopSec }), ...(stopSignal !== undefined && { stopSignal }) };
}

/** Tells a process to end, and kills what is left of its session and cgroup after its time. @throws MESH_PROCESS_NOT_ENDED */
export async function endProcess({ name, clock, recordFile, record }: Ending): Promise<void> {
  const { stopSec = STOP_SEC, stopSignal = 'SIGTERM' } = record;
  const group = groupOf(recordFile, record.group);
  const before = sessionMembers(record);
  signalProcess(record, stopSignal);
  if (!(await areGone([record], stopSec * 1000, clock))) signalProcess(record, 'SIGKILL');
  const others = [...before, ...sessionMembers(record), ...groupMembers(group)].filter(isRunning);
  killMembers(others, group);
  if (!(await areGone([record, ...others], KILL_MS, clock))) {
    throw new MeshError('MESH_PROCESS_NOT_ENDED', `${name} (process ${record.pid}) still runs after SIGKILL`, {
      object: name,
      remedy: `See \`cat /proc/${record.pid}/stack\`: the kernel does not let it go. It is ended again automatically.`,
      retryable: true,
    });
  }
  removeGroup(group);
}

/** Ends what an earlier process of a cgroup has left behind, and whose record was lost. */
export async function killLost(group: string | undefined, clock: Clock): Promise<void> {
  const lost = groupMembers(group);
  if (lost.length === 0) return;
  killMembers(lost, group);
  await areGone(lost, KILL_MS, clock);
}

/**
 * Kills what a process that has ended by itself has left behind, and removes its record.
 * @param ended `now`: its end was seen. After an end that nobody saw, its number may be that of another session
 */
export function sweepAfter(record: ProcessRecord, recordFile: string, ended: 'now' | 'earlier'): void {
  const group = groupOf(recordFile, record.group);
  killMembers([...groupMembers(group), ...(ended === 'now' ? sessionMembers(record) : [])], group);
  removeGroup(group);
  rmSync(recordFile, { force: true });
}

async function areGone(marks: readonly ProcessMark[], withinMs: number, clock: Clock): Promise<boolean> {
  for (const deadline = clock.nowMs() + withinMs; marks.some(isRunning); ) {
    if (clock.nowMs() > deadline) return false;
    await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve));
  }
  return true;
}
