/**
 * Kernel settings below /proc/sys, in the namespace of the calling thread. A name is given as path segments, since a
 * device's name may contain dots: `['net', 'ipv6', 'conf', 'eth0.5', 'accept_ra']`.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../model/error.ts';

type SysctlName = readonly string[];

const PROC_SYS = '/proc/sys';

/**
 * Reads a setting: its value without the end of line.
 * @throws MESH_KERNEL_REFUSED (ENOENT: this kernel or device has no such setting)
 */
export function readSysctl(name: SysctlName, root: string = PROC_SYS): string {
  const path = pathOf(name, root);
  try {
    return readFileSync(path, 'utf8').trimEnd();
  } catch (error) {
    throw refused('read', path, error);
  }
}

/**
 * Writes a setting that exists.
 * @throws MESH_KERNEL_REFUSED (ENOENT; EINVAL: the setting does not take this value; EACCES or EROFS)
 */
export function writeSysctl(name: SysctlName, value: string | number, root: string = PROC_SYS): void {
  const path = pathOf(name, root);
  try {
    // Without O_CREAT, since an absent setting must not be created as a file; write-only, since some settings cannot be
    // read.
    const setting = openSync(path, constants.O_WRONLY);
    try {
      writeSync(setting, `${value}\n`);
    } finally {
      closeSync(setting);
    }
  } catch (error) {
    throw refused(`write ${value} to`, path, error);
  }
}

function pathOf(name: SysctlName, root: string): string {
  for (const segment of name) {
    if (segment === '' || segment === '.' || segment === '..' || segment.includes('/')) {
      throw new MeshError('MESH_KERNEL_REFUSED', `${JSON.stringify(name)} does not name a kernel setting`, {
        operation: 'find',
        object: name.join('/'),
        rule: 'Each segment is one directory or file below /proc/sys.',
      });
    }
  }
  return join(root, ...name);
}

function refused(operation: string, path: string, error: unknown): MeshError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return new MeshError('MESH_KERNEL_REFUSED', `${operation} ${path}: ${code}`, {
    operation,
    object: path,
    cause: error,
    ...(REMEDIES[code] !== undefined && { remedy: REMEDIES[code] }),
  });
}

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'Run it as the root of the network namespace, in a container whose /proc/sys/net can be written.',
  EROFS: 'Give the process a writable /proc/sys; containers mount it read-only.',
};
