/** What the guest has written with its UEFI firmware, such as what it boots: a file beside the disks of a workload, which moves with them. */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeDurable } from '../../disk/durable-file.ts';
import type { Workload } from '../../model/workload/workload.ts';
import { diskRefused } from '../images/part-file.ts';

/** The name of the file in a copy. A node of an earlier version takes the file, and removes it with the rest of the copy. */
export const VARIABLES_FILE = 'uefi-variables';

const MODE = 0o600;
/** Those of OVMF have 528 kB. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Where the firmware of a workload keeps its variables. @param state the directory with the records of workloads. @param id 8 hex digits */
export function firmwareVariables(state: string, id: string): string {
  return join(state, `${id}.variables.fd`);
}

/** Whether the variables move with a workload. A volume of the same name has the place of their file. */
export function movesVariables({ firmware, volumes }: Pick<Workload, 'firmware' | 'volumes'>): boolean {
  return firmware === 'uefi' && volumes.every(({ id }) => id !== VARIABLES_FILE);
}

/** Puts the file that has arrived into its place. @throws MESH_DISK_REFUSED */
export async function putVariables(file: string, path: string): Promise<void> {
  try {
    // Another run may have been killed here.
    const found = await stat(file).catch(() => undefined);
    if (found === undefined || found.size > MAX_BYTES) return;
    await mkdir(dirname(path), { recursive: true });
    // The records may be on another file system than the disks.
    await writeDurable(path, await readFile(file), MODE);
  } catch (cause) {
    throw diskRefused(path, cause);
  }
}
