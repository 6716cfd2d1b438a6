/** Files that are old or new after a power cut at any byte, and never a third thing. */
import { access, link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MeshError } from '../model/error.ts';
import { errnoOf } from './conf-reader.ts';

/**
 * Replaces the file at `path`; durable when it resolves. Of several writers at a time, the last one's text is there whole.
 * Missing directories above it are made.
 * @throws MESH_DISK_REFUSED
 */
export async function writeDurable(path: string, text: string): Promise<void> {
  await put(path, text, 0o640, rename);
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
  await put(path, makeText(), permissions, async (unfinished) => {
    await link(unfinished, path).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
  });
  return await readFile(path, 'utf8');
}

/** Files that this process has begun. */
let begun = 0;

/** @param place brings what was written to its place */
async function put(
  path: string,
  text: string,
  permissions: number,
  place: (unfinished: string, path: string) => Promise<void>,
): Promise<void> {
  await makeDirectory(dirname(path));
  await refusing(path, async () => {
    const unfinished = `${path}.${process.pid}-${++begun}.new`;
    try {
      const file = await open(unfinished, 'w', permissions);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await place(unfinished, path);
    } finally {
      await rm(unfinished, { force: true });
    }
    await sweep(path);
  });
  await syncDirectory(dirname(path));
}

/** Takes away what processes that are no more had begun to write there. */
async function sweep(path: string): Promise<void> {
  const beginning = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(beginning)) continue;
    const writer = /^(\d+)-\d+\.new$/.exec(name.slice(beginning.length))?.[1];
    if (writer === undefined || (await isRunning(writer))) continue;
    await rm(join(dirname(path), name), { force: true });
  }
}

function isRunning(pid: string): Promise<boolean> {
  return access(`/proc/${pid}`).then(
    () => true,
    () => false,
  );
}

/** What the file holds; undefined when there is none. */
export async function textAt(path: string): Promise<string | undefined> {
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
