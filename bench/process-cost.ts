/** Processor time and memory of a running process, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Processor time of all threads so far, from the scheduler's count in nanoseconds: the ticks in /proc/PID/stat are too coarse for an idle process. */
export function cpuSec(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
}

/** Resident memory, the proportional share of it, or what the process alone has written. */
export function memoryMb(pid: number, kind: 'Rss' | 'Pss' | 'Private_Dirty'): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(new RegExp(`^${kind}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024;
}
