/**
 * The boot instance: 16 hex digits that are made once after each boot of a machine, and stay the same when its agent
 * restarts. Two simultaneous reports with one machine id and two instances come from two machines.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../model/error.ts';
import { readSystemFile } from './system-file.ts';

const INSTANCE = /^[0-9a-f]{16}$/;

/**
 * Reads `<runDirectory>/instance`, or makes the file. The directory must be one that a reboot empties. A damaged file is made
 * anew: to host0, the machine has rebooted.
 * @throws MESH_MACHINE_UNREADABLE when the file can be neither read nor made
 */
export function bootInstance({ runDirectory }: { readonly runDirectory: string }): string {
  const path = join(runDirectory, 'instance');
  const known = instanceAt(path);
  if (known !== undefined) return known;
  makeInstance(runDirectory, path);
  const made = instanceAt(path);
  if (made !== undefined) return made;
  throw new MeshError('MESH_MACHINE_UNREADABLE', `${path} does not hold a boot instance`, {
    operation: 'read',
    object: path,
    rule: 'A boot instance is 16 lower-case hex digits.',
    remedy: 'Delete the file: a new one is made.',
  });
}

/** The instance in a file; undefined for anything else. */
function instanceAt(path: string): string | undefined {
  try {
    const text = readSystemFile(path) ?? '';
    return INSTANCE.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes the file whole or not at all, and never replaces one that another process made: writes a temporary file, then
 * links it to its name.
 */
function makeInstance(runDirectory: string, path: string): void {
  const instance = randomBytes(8).toString('hex');
  const temporary = `${path}.${instance}`;
  try {
    mkdirSync(runDirectory, { recursive: true, mode: 0o750 });
    if (instanceAt(path) === undefined) rmSync(path, { recursive: true, force: true });
    writeFileSync(temporary, `${instance}\n`);
    try {
      linkSync(temporary, path);
    } finally {
      rmSync(temporary, { force: true });
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
