/** Files that are old or new after a power cut at any byte, and never a third thing. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError } from '../model/error.ts';
import { errnoOf } from './conf-reader.ts';

/**
 * Replaces the file at `path`; durable when it resolves. Missing directories above it are made.
 * @throws MESH_DISK_REFUSED
 */
export async function writeDurable(path: string, text: string): Promise<void> {
  await makeDirectory(dirname(path));
  await refusing(path, () => replace(path, text, 0o640));
  await syncDirectory(dirname(path));
}

/**
 * Makes the file unless there is one; durable when it resolves. Of several writers at a time one wins, and all of them
 * hear what it wrote.
 * @param permissions of a file that is made; there is no moment at which it has others
 * @returns what the file holds
 * @throws MESH_DISK_REFUSED
 */
export async function createDurable(path: string, makeText: () => string, permissions: number): Promise<string> {
  const present = await textAt(path);
  if (present !== undefined) return present;
  await makeDirectory(dirname(path));
  await refusing(path, async () => {
    const temporary = unfinished(path);
    try {
      await writeSynced(temporary, makeText(), permissions);
      await link(temporary, path).catch((error: unknown) => {
        if (errnoOf(error) !== 'EEXIST') throw error;
      });
    } finally {
      await rm(temporary, { force: true });
    }
  });
  await syncDirectory(dirname(path));
  return await readFile(path, 'utf8');
}

/**
 * Puts a file in its place unless there is one, which is the same: it is named by its content. The name is durable with
 * `syncDirectory`, so that many cost one.
 * @throws MESH_DISK_REFUSED
 */
export async function writeNamedByContent(path: string, content: Uint8Array, permissions: number): Promise<void> {
  if (!existsSync(path)) await refusing(path, () => replace(path, content, permissions));
}

/**
 * Writes a file that is not there; it is whole on the disk when this resolves. Its name is durable with `syncDirectory`.
 * @throws an error of the file system
 */
export async function writeSynced(path: string, content: string | Uint8Array, permissions: number): Promise<void> {
  const file = await open(path, 'wx', permissions);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function replace(path: string, content: string | Uint8Array, permissions: number): Promise<void> {
  const temporary = unfinished(path);
  try {
    await writeSynced(temporary, content, permissions);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** A name that no other writer of the same file has. */
function unfinished(path: string): string {
  return `${path}.${randomBytes(4).toString('hex')}.new`;
}

async function textAt(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Makes a directory and what is missing above it; each name is durable when it resolves.
 * @param permissions of those that are made
 * @throws MESH_DISK_REFUSED
 */
export async function makeDirectory(path: string, permissions = 0o777): Promise<void> {
  const highest = await refusing(path, () => mkdir(path, { recursive: true, mode: permissions }));
  if (highest === undefined) return;
  for (let made = path; made.length >= highest.length; made = dirname(made)) await syncDirectory(dirname(made));
}

/**
 * Makes the names in a directory durable.
 * @throws MESH_DISK_REFUSED
 */
export async function syncDirectory(path: string): Promise<void> {
  await refusing(path, async () => {
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  });
}

async function refusing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    throw new MeshError('MESH_DISK_REFUSED', `${path} cannot be written: ${MeshError.from(cause).message}`, {
      operation: 'write file',
      object: path,
      remedy: 'Make room on the disk, and see that it is mounted for writing',
      cause,
      retryable: true,
    });
  }
}
