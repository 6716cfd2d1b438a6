/** Whether the kernel has killed a process because memory ran out. Its log tells that, and nothing else does in every case. */
import { closeSync, constants, openSync, readSync } from 'node:fs';

/** Each read gives one record (Documentation/ABI/testing/dev-kmsg of Linux), which is shorter. */
const RECORD_MAX_BYTES = 8_192;
/** More than the log holds. */
const RECORDS_MAX = 1_000_000;
const TICK_USEC = 10_000;

/**
 * Looks for the process in the kernel's log.
 * @param startTime in clock ticks since the boot: a process of the same number before is another one
 * @returns false also where the log cannot be read, such as in a container
 */
export function wasKilledForMemory({ pid, startTime }: { readonly pid: number; readonly startTime: string }): boolean {
  let log: number;
  try {
    log = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  const victim = new RegExp(`ut of memory: Killed process ${pid} \\(`);
  const buffer = Buffer.alloc(RECORD_MAX_BYTES);
  try {
    for (let records = 0; records < RECORDS_MAX; records++) {
      const text = recordIn(log, buffer);
      if (text === undefined) return false;
      if (victim.test(text) && Number(text.split(',')[2]) >= Number(startTime) * TICK_USEC) return true;
    }
    return false;
  } finally {
    closeSync(log);
  }
}

/** @returns undefined after the last record; the empty text for one that was overwritten while it was read (EPIPE) */
function recordIn(log: number, buffer: Buffer): string | undefined {
  try {
    return buffer.toString('latin1', 0, readSync(log, buffer));
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPIPE' ? '' : undefined;
  }
}
