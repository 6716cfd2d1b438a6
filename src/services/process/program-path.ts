/** Finds programs on this machine. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { MeshError } from '../../model/error.ts';

/**
 * Looks for a program in PATH.
 * @param others further directories, which are searched after those in PATH
 * @returns the path of its file; undefined if it is in none of the directories
 */
export function findProgram(name: string, others: readonly string[] = []): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...others].filter((path) => path !== '');
  return directories.map((directory) => join(directory, name)).find((file) => existsSync(file));
}

/** The packages that have the programs of processes: their names in Debian, and in Alpine where that has another. */
const PACKAGES: Readonly<Record<string, readonly [debian: string, alpine?: string]>> = {
  dnsmasq: ['dnsmasq-base', 'dnsmasq'],
  'qemu-system-x86_64': ['qemu-system-x86', 'qemu-system-x86_64'],
  radvd: ['radvd'],
  setpriv: ['util-linux', 'setpriv'],
  tayga: ['tayga'],
  unbound: ['unbound'],
};

/**
 * Looks for the program of a process, and for the one that it becomes: setpriv becomes the program behind its options.
 * @throws MESH_PROCESS_NOT_STARTED if one of them is not on this machine
 */
export function mustBeInstalled(argv: readonly string[]): void {
  const [program = '', ...rest] = argv;
  const then = program === 'setpriv' ? rest.find((word) => !word.startsWith('-')) : undefined;
  for (const name of [program, ...(then === undefined ? [] : [then])]) {
    if (name.includes('/') ? existsSync(name) : findProgram(name) !== undefined) continue;
    const [debian = name, alpine = debian] = PACKAGES[name] ?? [];
    throw new MeshError('MESH_PROCESS_NOT_STARTED', `cannot be started: ${name} is not installed`, {
      object: name,
      remedy: `Install it: \`apt-get install ${debian}\`, or \`apk add ${alpine}\`. A node that host0 boots gets it with its next image: \`mesh system image node --package ${debian}\`.`,
    });
  }
}
