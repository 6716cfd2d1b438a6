/** Where the lines of a log go: to standard output, whose size is bounded if it is a file. */
import { constants, fstatSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { LOG_MAX_BYTES, rotateLog } from './log-rotation.ts';

const STDOUT = 1;

/** Where an output goes. */
interface LogOutputInput {
  /** The number of the open file. Standard output if not given. */
  readonly descriptor?: number;
  /** A larger file is rotated. */
  readonly maxBytes?: number;
}

/**
 * Opens the output of a log.
 * @returns writes a line. A line that a full disk refuses is lost, and the process goes on.
 */
export function openLogOutput(input: LogOutputInput = {}): (line: string) => void {
  const { descriptor = STDOUT, maxBytes = LOG_MAX_BYTES } = input;
  const file = ownFile(descriptor);
  if (file === undefined) {
    // The reader of a pipe may have ended, such as a restarted log daemon.
    process.stdout.on('error', () => {});
    return (line) => process.stdout.write(line);
  }
  const bound = (): void => rotateLog(file, maxBytes);
  // What earlier lives of the process have written counts, too.
  bound();
  // Standard error and other processes may write to the same file: its size is looked up often, and not only counted.
  const lookBytes = Math.min(64 * 1024, maxBytes / 4);
  let unlookedBytes = 0;
  return (line) => {
    try {
      writeSync(descriptor, line);
      unlookedBytes += Buffer.byteLength(line);
      if (unlookedBytes < lookBytes) return;
      unlookedBytes = 0;
      bound();
    } catch {
      // A full disk. The journal in memory has the event.
    }
  };
}

/** The path of an open file that is appended to; undefined for a terminal, a pipe, or a file that was deleted. */
function ownFile(descriptor: number): string | undefined {
  try {
    if (!fstatSync(descriptor).isFile()) return undefined;
    const [, flags = '0'] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')) ?? [];
    // Otherwise the next line would be written where the end was before the rotation.
    if ((Number.parseInt(flags, 8) & constants.O_APPEND) === 0) return undefined;
    const path = readlinkSync(`/proc/self/fd/${descriptor}`);
    return path.endsWith(' (deleted)') ? undefined : path;
  } catch {
    return undefined;
  }
}
