/** The file descriptors of this process: each connection takes one, and without one no connection is accepted. */
import { closeSync, openSync, readFileSync } from 'node:fs';

const OUT: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE']);

/**
 * Whether a file descriptor is left. Node tells nobody when it cannot accept a connection for want of one: the peer waits in
 * the kernel's queue.
 */
export function hasDescriptor(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'));
    return true;
  } catch (error) {
    return !OUT.has((error as NodeJS.ErrnoException).code);
  }
}

/** How many file descriptors a process may have: now, and at the most without a privilege (RLIMIT_NOFILE). */
export interface DescriptorLimit {
  readonly soft: number;
  readonly hard: number;
}

/** The limit of this process; undefined when it cannot be read. */
export function descriptorLimit(): DescriptorLimit | undefined {
  try {
    const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    // `unlimited` is no number.
    return soft === undefined || hard === undefined ? undefined : { soft: Number(soft), hard: Number(hard) };
  } catch {
    return undefined;
  }
}
