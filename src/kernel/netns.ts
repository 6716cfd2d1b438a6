/**
 * Network namespaces: runs one call in another namespace, and makes temporary ones. `ip netns` names them under
 * /run/netns.
 */
import { closeSync, openSync } from 'node:fs';
import { MeshError } from '../model/error.ts';
import { capabilityRemedy } from './capability.ts';
import { CLONE_NEWNET, failed, libc } from './libc.ts';

/** The path of a namespace that `ip netns add` made. */
export function netnsPath(name: string): string {
  return `/run/netns/${name}`;
}

/**
 * Runs `body` with this thread in the namespace at `path`, then returns to the former one. Sockets made inside stay in
 * that namespace. `body` must not await: meanwhile everything else on this thread would run in the wrong namespace.
 * @throws MESH_KERNEL_REFUSED
 */
export function inNetns<T>(path: string, body: () => T): T {
  // /proc/self would name the main thread, which is wrong in a worker.
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

/**
 * Returns to the former namespace. A failure here replaces the body's own error, since staying in a foreign namespace
 * is worse.
 */
function comeHome(home: number, from: string): void {
  if (libc.setns(home, CLONE_NEWNET) < 0) throw failed('return from', from);
}

/** Moves this thread into the namespace at `path`, for good. */
function enterNetns(path: string): void {
  const target = openNetns(path);
  try {
    if (libc.setns(target, CLONE_NEWNET) < 0) throw failed('enter', path, capabilityRemedy('CAP_SYS_ADMIN'));
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

/** A namespace that exists until `close`, or until this process ends. */
export interface TemporaryNetns {
  /** Usable by every process that may read the /proc entries of this one. */
  readonly path: string;
  close(): void;
}

/**
 * Makes a new, empty namespace without a name. It goes when it is closed, and also when this process dies.
 * @throws MESH_KERNEL_REFUSED (EPERM: not root)
 */
export function temporaryNetns(): TemporaryNetns {
  return inNewNetns(() => {
    const own = openSync('/proc/thread-self/ns/net', 'r');
    return { path: `/proc/${process.pid}/fd/${own}`, close: () => closeSync(own) };
  });
}

/**
 * Runs `body` with this thread in a new namespace, then returns to the former one. The namespace goes unless `body` keeps it open.
 * `body` must not await.
 * @throws MESH_KERNEL_REFUSED (EPERM: not root)
 */
export function inNewNetns<T>(body: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    if (libc.unshare(CLONE_NEWNET) < 0) throw failed('make', 'a network namespace', capabilityRemedy('CAP_SYS_ADMIN'));
    try {
      return body();
    } finally {
      comeHome(home, 'a new namespace');
    }
  } finally {
    closeSync(home);
  }
}
