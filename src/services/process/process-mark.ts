/** Identifies processes by pid and start time, because the kernel gives the pid of a process that ended to another one. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import * as form from '../../protocol/shapes/form.ts';

/** Identifies one process, also across restarts of this one. */
export interface ProcessMark {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since the machine's boot, as text. */
  readonly startTime: string;
}

/** Marks that were written to a file. Pid 1 is no process of Meshwork, and 0 and below are groups of processes for kill(2). */
export const ProcessMarkShape = form.object({
  pid: form.int(2),
  startTime: form.string({ pattern: /^[0-9]{1,20}$/ }),
});

/** Marks a running process. @throws MESH_PROCESS_GONE if there is no process with this pid */
export function processMarkOf(pid: number): ProcessMark {
  const mark = findMark(pid);
  if (mark === undefined)
    throw new MeshError('MESH_PROCESS_GONE', `there is no process ${pid}`, { object: String(pid) });
  return mark;
}

/** Marks a running process. @returns undefined if there is no process with this pid */
export function findMark(pid: number): ProcessMark | undefined {
  const stat = statOf(pid);
  return stat && { pid, startTime: stat.startTime };
}

/**
 * Whether the marked process still runs. A zombie does not run: it only waits until its parent reads its status. A zombie
 * with threads does run: a thread of a killed process may wait for a lock in the kernel, and until the thread is gone, the
 * sockets and files of the process stay open.
 */
export function isRunning(mark: ProcessMark): boolean {
  const stat = statOf(mark.pid);
  if (stat === undefined || stat.startTime !== mark.startTime) return false;
  return (stat.state !== 'Z' && stat.state !== 'X') || stat.threads > 1;
}

/** All processes by the number of their session. A look at each costs some ten milliseconds on a busy machine. */
export function processesBySession(): ReadonlyMap<number, readonly ProcessMark[]> {
  const sessions = new Map<number, ProcessMark[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (stat === undefined) continue;
    const members = sessions.get(stat.session);
    if (members === undefined) sessions.set(stat.session, [{ pid, startTime: stat.startTime }]);
    else members.push({ pid, startTime: stat.startTime });
  }
  return sessions;
}

/** Sends `signal` if the marked process still runs. @throws an error of kill(2) if it cannot be signalled */
export function signalProcess(mark: ProcessMark, signal: NodeJS.Signals): void {
  if (!isRunning(mark)) return;
  try {
    process.kill(mark.pid, signal);
  } catch (error) {
    // The process may end between the check and the call.
    if (isRunning(mark)) throw error;
  }
}

/** Waits until all marked processes have ended. @throws MESH_PROCESS_NOT_ENDED if one still runs after `deadlineMs` */
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

/** Reads proc_pid_stat(5). Fields count from the last `)`: the command before it may contain spaces and parentheses. */
function statOf(pid: number): { state: string; startTime: string; threads: number; session: number } | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [state, session, threads, startTime] = [fields[0], fields[3], fields[17], fields[19]];
  if (state === undefined || startTime === undefined) return undefined;
  return { state, startTime, threads: Number(threads), session: Number(session) };
}
