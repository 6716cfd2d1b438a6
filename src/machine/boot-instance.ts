/**
 * The boot instance: 16 hex digits made once after each boot of a machine, the same over restarts of its agent. Two
 * reports with one machine id and two instances at the same time are two machines.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../model/error.ts';
import { readSystemFile } from './system-file.ts';

const INSTANCE = /^[0-9a-f]{16}$/;

/**
 * Reads `<runDirectory>/instance`, or makes it. The directory must be one that a reboot empties.
 * @throws MESH_MACHINE_UNREADABLE when it can be neither read nor made, or is not an instance
 */
export function bootInstance({ runDirectory }: { readonly runDirectory: string }): string {
  const path = join(runDirectory, 'instance');
  const known = readSystemFile(path);
  if (known === undefined) makeInstance(runDirectory, path);
  const instance = known ?? readSystemFile(path) ?? '';
  if (INSTANCE.test(instance)) return instance;
  throw new MeshError('MESH_MACHINE_UNREADABLE', `${path} does not hold a boot instance`, {
    operation: 'read',
    object: path,
    rule: 'A boot instance is 16 lower-case hex digits.',
    remedy: 'Delete the file: a new one is made.',
  });
}

/** Whole or not at all, and never over another process's: written aside, then linked to its name. */
function makeInstance(runDirectory: string, path: string): void {
  const instance = randomBytes(8).toString('hex');
  const aside = `${path}.${instance}`;
  try {
    mkdirSync(runDirectory, { recursive: true });
    writeFileSync(aside, `${instance}\n`);
    try {
      linkSync(aside, path);
    } finally {
      rmSync(aside, { force: true });
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return;
    throw new MeshError('MESH_MACHINE_UNREADABLE', `${path} cannot be made: ${code ?? String(error)}`, {
      operation: 'write',
      object: path,
      remedy: 'Run it as root, with a writable /run.',
      cause: error,
    });
  }
}
