/**
 * Log files of a bounded size. A file that is too large is copied to `FILE.1` and then made empty, since the process that
 * writes it keeps it open. One copy is kept, so that a log takes little more than twice its size.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';

/** The usual size. Two of these are some 24,000 lines. A node without a disk has them in its memory. */
export const LOG_MAX_BYTES = 4 * 1024 * 1024;

/** Who may read a log: like the state, root and its group. */
const LOG_MODE = 0o640;
/** A link is not followed, and the open of a pipe does not wait for its reader. */
const FLAGS = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The path of the copy of an older log. */
export function olderLogOf(file: string): string {
  return `${file}.1`;
}

/**
 * Makes a log empty if it is larger than `maxBytes`. Its writer must append (O_APPEND). A line that is written at this very
 * moment may be lost; on a full disk, the older log is. A link, a second name of another file, and a pipe stay as they are: with one of
 * these, a stranger could have another file made empty. Never throws.
 */
export function rotateLog(file: string, maxBytes: number): void {
  if (sizeOf(file) <= maxBytes) return;
  attempt(() => {
    // The file may be gone, or the file system read-only: then it does not grow either.
    const log = openSync(file, FLAGS);
    try {
      const found = fstatSync(log);
      if (!found.isFile() || found.nlink !== 1) return;
      attempt(() => keepEnd(file, log, found.size, maxBytes));
      ftruncateSync(log);
    } finally {
      closeSync(log);
    }
  });
}

/**
 * Usually all of the file: then who follows the log finds the rest of its lines at the same place of the copy. Not more than
 * a quarter over `maxBytes`: what an earlier version wrote may be as large as the disk.
 */
function keepEnd(file: string, log: number, size: number, maxBytes: number): void {
  const older = olderLogOf(file);
  const written = `${older}.new`;
  // Without the old copy, a full disk has room for the new one.
  rmSync(older, { force: true });
  rmSync(written, { force: true });
  try {
    // The file must be new: in a directory of others, its name could be a link.
    writeFileSync(written, endOf(log, size, maxBytes), { flag: 'wx', mode: LOG_MODE });
    renameSync(written, older);
  } catch {
    rmSync(written, { force: true });
  }
}

function endOf(log: number, size: number, maxBytes: number): Uint8Array {
  const length = Math.min(size, Math.floor(maxBytes * 1.25));
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(log, bytes, 0, length, size - length));
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // The next look tries again.
  }
}

function sizeOf(file: string): number {
  return lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
