/** Processes by pid and start time, so that a pid that the kernel gave to somebody else meanwhile is never mistaken. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';

export interface ProcessMark {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since the machine's boot, as text. */
  readonly startTime: string;
}

/** @throws MESH_PROCESS_GONE when there is no such process */
export function processMarkOf(pid: number): ProcessMark {
  const mark = findMark(pid);
  if (mark === undefined)
    throw new MeshError('MESH_PROCESS_GONE', `there is no process ${pid}`, { object: String(pid) });
  return mark;
}

export function findMark(pid: number): ProcessMark | undefined {
  const stat = statOf(pid);
  return stat && { pid, startTime: stat.startTime };
}

/**
 * A zombie does not run: it only waits for its parent to look. One with threads does: of a process that was killed, a
 * thread may have to wait for a lock of the kernel, and until it is gone all sockets and files stay open.
 */
export function isRunning(mark: ProcessMark): boolean {
  const stat = statOf(mark.pid);
  if (stat === undefined || stat.startTime !== mark.startTime) return false;
  return (stat.state !== 'Z' && stat.state !== 'X') || stat.threads > 1;
}

/** Sends `signal` if the process still is the one that was marked. */
export function signalProcess(mark: ProcessMark, signal: NodeJS.Signals): void {
  if (!isRunning(mark)) return;
  try {
    process.kill(mark.pid, signal);
  } catch (error) {
    // It may end between the look and the call.
    if (isRunning(mark)) throw error;
  }
}

/** @throws MESH_PROCESS_NOT_ENDED when one still runs after `deadlineMs` */
export async function awaitEnd(marks: readonly ProcessMark[], deadlineMs: number): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs;
  for (let left = marks.filter(isRunning); left.length > 0; left = left.filter(isRunning)) {
    if (performance.now() > giveUpAt) {
      const pids = left.map(({ pid }) => pid).join(', ');
      throw new MeshError('MESH_PROCESS_NOT_ENDED', `still running after ${deadlineMs} ms: process ${pids}`, {
        object: pids,
      });
    }
    await sleep(5);
  }
}

/** The command's name, second in the line, may hold spaces and parentheses: fields count from the last `)`. */
function statOf(pid: number): { state: string; startTime: string; threads: number } | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [state, threads, startTime] = [fields[0], fields[17], fields[19]];
  return state === undefined || startTime === undefined ? undefined : { state, startTime, threads: Number(threads) };
}
