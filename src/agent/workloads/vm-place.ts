/** Where the files of a workload are on its node. */
import { readFileSync, statSync } from 'node:fs';
import { chown, mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { QEMU_FILES } from '../../services/qemu/qemu-spec.ts';

/** The directories of a node that hold files of workloads. */
export interface VmDirectories {
  /** `ROOT/run/meshwork/vm`. */
  readonly machines: string;
  /** `ROOT/run/pxen`, with a link to the files of each workload, by its uuid. */
  readonly pxen: string;
  /** `ROOT/var/log/meshwork`. */
  readonly logs: string;
}

/** Whom an emulator becomes. */
export interface VmUser {
  readonly uid: number;
  readonly gid: number;
}

/** Only the emulator and root see the sockets of a guest. */
const DIRECTORY_MODE = 0o700;
const USERS = ['meshwork-vm', 'nobody'] as const;

/** The directory of an emulator: short, because the paths of sockets are. */
export function vmDirectory({ machines }: Pick<VmDirectories, 'machines'>, id: string): string {
  return join(machines, id);
}

/** The file with QEMU's own words. */
export function vmOutput({ logs }: Pick<VmDirectories, 'logs'>, id: string): string {
  return join(logs, 'workloads', `${id}.log`);
}

/** Makes the directory of an emulator, without sockets of an earlier one, and the link to it. */
export async function prepareVm(directories: VmDirectories, id: string, uuid: string, user: VmUser): Promise<string> {
  const directory = vmDirectory(directories, id);
  await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
  await chown(directory, user.uid, user.gid);
  for (const name of [QEMU_FILES.monitor, QEMU_FILES.operatorMonitor, QEMU_FILES.console, QEMU_FILES.vnc])
    await rm(join(directory, name), { force: true });
  await mkdir(dirname(vmOutput(directories, id)), { recursive: true });
  const link = join(directories.pxen, uuid);
  await mkdir(directories.pxen, { recursive: true });
  await rm(link, { force: true, recursive: true });
  await symlink(relative(directories.pxen, directory), link);
  return directory;
}

/** Removes the files of a workload that the node has no more. */
export async function removeVm(directories: VmDirectories, id: string, uuid: string): Promise<void> {
  const output = vmOutput(directories, id);
  const files = [vmDirectory(directories, id), join(directories.pxen, uuid), output, `${output}.1`];
  await Promise.all(files.map((path) => rm(path, { force: true, recursive: true })));
}

/** The user of emulators on this machine: one of their own, where there is one. */
export function vmUser(passwd = '/etc/passwd'): VmUser {
  const lines = textOf(passwd).split('\n');
  for (const name of USERS) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return { uid: 65534, gid: 65534 };
}

/** Whether an emulator has left its sockets behind, which it removes at a normal end. */
export function hasSockets(directory: string): boolean {
  return statSync(join(directory, QEMU_FILES.monitor), { throwIfNoEntry: false }) !== undefined;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
