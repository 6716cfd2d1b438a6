/** Network namespaces with a name: a file on which the kernel keeps the namespace mounted, as `ip netns` does below /run/netns. */
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { capabilityRemedy } from './capability.ts';
import { failed, libc } from './libc.ts';
import { inNewNetns } from './netns.ts';

const MS_BIND = 4096;
const MNT_DETACH = 2;
/** The type of the file system of namespaces (linux/magic.h). */
const NSFS_MAGIC = 0x6e736673;

/**
 * Makes a namespace and mounts it at `path`.
 * @param setUp is called inside, before anything else can be there: for settings that later links get from the namespace
 * @throws MESH_KERNEL_REFUSED
 */
export function makeNamedNetns(path: string, setUp: () => void): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '', { mode: 0o444, flag: 'w' });
  inNewNetns(() => {
    setUp();
    if (libc.mount('/proc/thread-self/ns/net', path, 'none', MS_BIND, null) < 0)
      throw failed('name', `the network namespace ${path}`, capabilityRemedy('CAP_SYS_ADMIN'));
  });
}

/** Gives the namespace of a process a name. @throws MESH_KERNEL_REFUSED, also when there is no such process any more */
export function nameNetnsOf(pid: number, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '', { mode: 0o444, flag: 'w' });
  if (libc.mount(`/proc/${pid}/ns/net`, path, 'none', MS_BIND, null) < 0)
    throw failed('name', `the network namespace of process ${pid}`, capabilityRemedy('CAP_SYS_ADMIN'));
}

/** Takes the name from a namespace. The namespace itself goes when no process and no socket is in it. */
export function removeNamedNetns(path: string): void {
  if (isNamedNetns(path) && libc.umount2(path, MNT_DETACH) < 0) throw failed('remove', `the network namespace ${path}`);
  rmSync(path, { force: true });
}

/** Whether a namespace is mounted at the path. After a restart of the machine, an empty file may be left. */
export function isNamedNetns(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}

/** The names in a directory of namespaces; none where there is no such directory. */
export function namesOfNetns(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
