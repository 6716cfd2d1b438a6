/** The output of a process: a file of a bounded size, and its last words. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { rotateLog } from '../../protocol/journal/log-rotation.ts';

/** How often the output is looked at while it is quiet: a stranger may make a service write some 100 kB a second. */
const LONGEST_LOOK_MS = 5_000;
/** How often at first, and after the output was too large: a process that floods its output writes some 100 MB in that time. */
export const SHORTEST_LOOK_MS = 100;
const LAST_LINE_MAX = 200;
const LAST_BYTES = 4_096;

/** Bounds the output. @param lookMs the time since the last look @returns the time until the next one */
export function lookAtOutput(file: string, maxBytes: number, lookMs: number): number {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  rotateLog(file, maxBytes);
  return size > maxBytes ? SHORTEST_LOOK_MS : Math.min(LONGEST_LOOK_MS, lookMs * 2);
}

/** The last line of an output, which may be long: only its end is read. Empty if there is none. */
export function lastLineOf(file: string): string {
  try {
    const descriptor = openSync(file, 'r');
    try {
      const bytes = Buffer.alloc(LAST_BYTES);
      const start = Math.max(0, fstatSync(descriptor).size - LAST_BYTES);
      const end = bytes.subarray(0, readSync(descriptor, bytes, 0, LAST_BYTES, start)).toString('utf8');
      return end.trimEnd().split('\n').at(-1)?.slice(0, LAST_LINE_MAX) ?? '';
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return '';
  }
}
