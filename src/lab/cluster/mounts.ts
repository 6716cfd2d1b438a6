/** File systems that users and tests mount below the directory of a lab, such as a small disk for one host. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { MeshError } from '../../model/error.ts';

/** The mount points below `directory` in a text like `/proc/self/mounts`, the innermost first. */
export function mountsBelow(directory: string, mounts: string): readonly string[] {
  return mounts
    .split('\n')
    .map((line) => unescaped(line.split(' ')[1] ?? ''))
    .filter((path) => path.startsWith(`${directory}/`))
    .reverse();
}

/**
 * Unmounts all file systems below `directory`, also those that a program still uses.
 * @throws MESH_LAB_FAILED with the words of umount(8)
 */
export function unmountBelow(directory: string): void {
  for (const path of mountsBelow(directory, readFileSync('/proc/self/mounts', 'utf8'))) {
    const { status, stderr } = spawnSync('umount', ['--lazy', path], { encoding: 'utf8' });
    if (status === 0) continue;
    throw new MeshError('MESH_LAB_FAILED', `${path} cannot be unmounted: ${stderr?.trim() ?? 'umount is missing'}`, {
      object: path,
      remedy: `Unmount ${path}, and take the lab down again.`,
    });
  }
}

/** proc_pid_mounts(5) writes blanks, tabs, newlines and backslashes as octal numbers. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
