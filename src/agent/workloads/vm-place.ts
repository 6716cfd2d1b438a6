/** Where the files of a workload are on its node. */
import { lstatSync } from 'node:fs';
import { chmod, lchown, mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { removeStrangersTree } from '../../disk/strangers-tree.ts';
import { olderLogOf } from '../../protocol/journal/log-rotation.ts';
import { systemUser } from '../../services/process/system-user.ts';
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
/** Only root writes here, and its group reads: a guest may have said passwords on its console. */
const LOGS_MODE = 0o750;
const USERS = ['meshwork-vm', 'nobody'] as const;

/**
 * The directory of an emulator, with its sockets: short, because their paths are. The user of all emulators owns the directory, and a
 * guest that has broken out may put a link or a pipe there under any name: root opens no file in the directory.
 */
export function vmDirectory({ machines }: Pick<VmDirectories, 'machines'>, id: string): string {
  return join(machines, id);
}

/** The file with QEMU's own words. */
export function vmOutput({ logs }: Pick<VmDirectories, 'logs'>, id: string): string {
  return join(logs, 'workloads', `${id}.log`);
}

/** The file with everything that the guest has written to its serial console. */
export function vmConsoleLog({ logs }: Pick<VmDirectories, 'logs'>, id: string): string {
  return join(logs, 'workloads', `${id}.console.log`);
}

/** The socket of the serial console. */
export function vmConsoleSocket(directories: Pick<VmDirectories, 'machines'>, id: string): string {
  return join(vmDirectory(directories, id), QEMU_FILES.console);
}

/** The socket of the screen. */
export function vmScreenSocket(directories: Pick<VmDirectories, 'machines'>, id: string): string {
  return join(vmDirectory(directories, id), QEMU_FILES.vnc);
}

/** The lock of an emulator, beside the directory of the emulator: QEMU writes the file as root. */
export function vmPidFile({ machines }: Pick<VmDirectories, 'machines'>, id: string): string {
  return join(machines, `${id}.pid`);
}

/** Makes the directory of an emulator, without what an earlier one has left there, and the link to it. */
export async function prepareVm(directories: VmDirectories, id: string, uuid: string, user: VmUser): Promise<string> {
  const directory = vmDirectory(directories, id);
  await mkdir(directories.machines, { recursive: true, mode: DIRECTORY_MODE });
  // The user of emulators cannot pass from the directory of one guest to that of another.
  await chmod(directories.machines, DIRECTORY_MODE);
  await removeStrangersTree(directory);
  await mkdir(directory, { mode: DIRECTORY_MODE });
  await lchown(directory, user.uid, user.gid);
  const logs = dirname(vmOutput(directories, id));
  await mkdir(logs, { recursive: true });
  await chmod(logs, LOGS_MODE);
  const link = join(directories.pxen, uuid);
  await mkdir(directories.pxen, { recursive: true });
  await rm(link, { force: true, recursive: true });
  await symlink(relative(directories.pxen, directory), link);
  return directory;
}

/** Removes the files of a workload that the node has no more. */
export async function removeVm(directories: VmDirectories, id: string, uuid: string): Promise<void> {
  await removeStrangersTree(vmDirectory(directories, id));
  const logs = [vmOutput(directories, id), vmConsoleLog(directories, id)].flatMap((log) => [log, olderLogOf(log)]);
  const files = [join(directories.pxen, uuid), vmPidFile(directories, id), ...logs];
  await Promise.all(files.map((path) => rm(path, { force: true, recursive: true })));
}

/** The user of emulators on this machine: one of their own, where there is one. */
export function vmUser(): VmUser {
  const { uid, gid } = systemUser(USERS) ?? { uid: 65534, gid: 65534 };
  return { uid, gid };
}

/** Whether an emulator has left its sockets behind, which it removes at a normal end. */
export function hasSockets(directory: string): boolean {
  return lstatSync(join(directory, QEMU_FILES.monitor), { throwIfNoEntry: false }) !== undefined;
}
