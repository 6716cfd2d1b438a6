/** Files that are old or new after a power cut at any byte, and never a third thing. */
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError } from '../model/error.ts';

/**
 * Replaces the file at `path`; durable when it resolves. Missing directories above it are made.
 * @throws MESH_DISK_REFUSED
 */
export async function writeDurable(path: string, text: string): Promise<void> {
  await makeDirectory(dirname(path));
  await refusing(path, async () => {
    const temporary = `${path}.new`;
    const file = await open(temporary, 'w', 0o640);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  });
  await syncDirectory(dirname(path));
}

/**
 * Makes a directory and what is missing above it; each name is durable when it resolves.
 * @throws MESH_DISK_REFUSED
 */
export async function makeDirectory(path: string): Promise<void> {
  const highest = await refusing(path, () => mkdir(path, { recursive: true }));
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
