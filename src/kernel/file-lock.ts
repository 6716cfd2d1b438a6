/** Locks on files (flock(2)): they end with the process that has them, however it ends. */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { EAGAIN, failed, libc } from './libc.ts';

/** flock operations (asm-generic/fcntl.h): for one process alone, and without waiting. */
const LOCK_EX = 2;
const LOCK_NB = 4;
const MODE = 0o640;

/**
 * Takes the lock of a file, and makes the file if there is none.
 * @returns the function that gives the lock back, before the end of this process; undefined while another process has the lock
 * @throws an error of open(2), or MESH_KERNEL_REFUSED
 */
export function lockFile(path: string): (() => void) | undefined {
  // Node opens files such that child processes do not inherit them. So no child keeps the lock.
  const fd = openSync(path, 'a', MODE);
  if (libc.flock(fd, LOCK_EX | LOCK_NB) === 0) return () => closeSync(fd);
  const error = koffi.errno() === EAGAIN ? undefined : failed('lock', path);
  closeSync(fd);
  if (error === undefined) return undefined;
  throw error;
}
