/** Network namespaces: entering one for the length of a call. `ip netns` names them under /run/netns. */
import { closeSync, openSync } from 'node:fs';
import { MeshError } from '../model/error.ts';
import { CLONE_NEWNET, failed, libc } from './libc.ts';

/** The path of a namespace that `ip netns add` named. */
export function netnsPath(name: string): string {
  return `/run/netns/${name}`;
}

/**
 * Runs `body` with this thread in the namespace at `path`, and comes back. Sockets made inside stay there. `body` must
 * not await: while it did, everything else on this thread would be in the wrong namespace.
 */
export function inNetns<T>(path: string, body: () => T): T {
  // The thread's own file: /proc/self names the main thread, wrong in a worker.
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    enterNetns(path);
    try {
      return body();
    } finally {
      comeHome(home, path);
    }
  } finally {
    closeSync(home);
  }
}

/** Staying behind in a foreign namespace would be worse than losing the body's own error. */
function comeHome(home: number, from: string): void {
  if (libc.setns(home, CLONE_NEWNET) < 0) throw failed('return from', from);
}

/** Moves this thread into the namespace at `path`, for good. */
function enterNetns(path: string): void {
  const target = openNetns(path);
  try {
    if (libc.setns(target, CLONE_NEWNET) < 0) throw failed('enter', path, 'Run it as root.');
  } finally {
    closeSync(target);
  }
}

function openNetns(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new MeshError('MESH_KERNEL_REFUSED', `there is no network namespace at ${path}`, {
      operation: 'enter',
      object: path,
      cause,
      remedy: 'See `ip netns list` for those that have a name.',
    });
  }
}

export interface TemporaryNetns {
  /** Good for every process that may look into this one. */
  readonly path: string;
  close(): void;
}

/** A new, empty namespace without a name: it goes when it is closed, and also when this process dies. */
export function temporaryNetns(): TemporaryNetns {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    if (libc.unshare(CLONE_NEWNET) < 0) throw failed('make', 'a network namespace', 'Run it as root.');
    try {
      const own = openSync('/proc/thread-self/ns/net', 'r');
      return { path: `/proc/${process.pid}/fd/${own}`, close: () => closeSync(own) };
    } finally {
      comeHome(home, 'a temporary namespace');
    }
  } finally {
    closeSync(home);
  }
}
