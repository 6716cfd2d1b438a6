/** What a running process costs, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Of all threads, by the scheduler's own count in nanoseconds: the ticks in /proc/PID/stat are too coarse for what is idle. */
export function cpuSec(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
}

export function memoryMb(pid: number, kind: 'Rss' | 'Pss'): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(new RegExp(`^${kind}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024;
}
