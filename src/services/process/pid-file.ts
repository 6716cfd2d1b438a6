/** A file with the mark of one process: `PID STARTTIME`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { isRunning, type ProcessMark } from './process-mark.ts';

const MODE = 0o640;

/** Writes the mark of a process into a file. @throws an error of the file system */
export function writePidFile(path: string, { pid, startTime }: ProcessMark): void {
  writeFileSync(path, `${pid} ${startTime}\n`, { mode: MODE });
}

/** The process that a file names, if it still runs. @throws an error of the file system, if there is a file */
export function runningIn(path: string): ProcessMark | undefined {
  const [, pid, startTime] = /^(\d+) (\d+)\n$/.exec(textOf(path)) ?? [];
  if (pid === undefined || startTime === undefined) return undefined;
  const mark = { pid: Number(pid), startTime };
  return isRunning(mark) ? mark : undefined;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
