/** Files that are either old or new after a power cut at any byte, never a mixture. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, link, mkdir, open, readdir, readFile, rename, rm, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../formats/conf/conf-reader.ts';
import { MeshError } from '../model/error.ts';

/** The user and the group that a file belongs to. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Replaces the file at `path`; durable when it resolves. Makes missing directories above it. When the disk refuses, the
 * file before stays.
 * @param owner of the new file; that of this process when absent, and then the permissions are less those of the umask
 * @throws MESH_DISK_REFUSED
 */
export async function writeDurable(
  path: string,
  content: string | Uint8Array,
  permissions = 0o640,
  owner?: FileOwner,
): Promise<void> {
  await makeDirectory(dirname(path));
  await refusing(path, async () => {
    await put(path, content, permissions, async (from, to) => {
      if (owner !== undefined) {
        await chown(from, owner.uid, owner.gid);
        await chmod(from, permissions);
      }
      await rename(from, to);
    });
    await sweep(path);
  });
  await syncDirectory(dirname(path));
}

/**
 * Makes the file unless it exists; durable when it resolves. When several writers call this at the same time, one wins,
 * and all get its text.
 * @param permissions of a file that is made; it never has others, not even for a moment
 * @returns what the file holds
 * @throws MESH_DISK_REFUSED
 */
export async function createDurable(path: string, makeText: () => string, permissions: number): Promise<string> {
  const present = await textAt(path);
  if (present !== undefined) return present;
  await makeDirectory(dirname(path));
  await refusing(path, async () => {
    await put(path, makeText(), permissions, linkUnlessThere);
    await sweep(path);
  });
  await syncDirectory(dirname(path));
  return await readFile(path, 'utf8');
}

/**
 * Writes a file that is named by its content. One that exists has the same content: it gets the present time, so that
 * nobody takes it for garbage. The name is durable only after `syncDirectory`, so that many files cost one sync.
 * @throws MESH_DISK_REFUSED
 */
export async function writeNamedByContent(path: string, content: Uint8Array, permissions: number): Promise<void> {
  const now = new Date();
  if (await ifThere(utimes(path, now, now).then(() => true))) return;
  await refusing(path, () => put(path, content, permissions, rename));
}

/** What `work` on a file gives; undefined when the file is not there, or not any more: another process may have removed it. */
export async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/**
 * Writes a new file; its content is durable when this resolves. Its name is durable only after `syncDirectory`.
 * @throws an error of the file system, such as EEXIST
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

/** Makes the content of a file durable that was written without. @throws an error of the file system */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The temporary files that this process is writing now. Their names differ from those of all other writers. */
const unfinished = new Set<string>();

/**
 * Writes a temporary file and moves it to `path`.
 * @param place moves or links the temporary file to its final path
 */
async function put(
  path: string,
  content: string | Uint8Array,
  permissions: number,
  place: (from: string, to: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.new`;
  unfinished.add(temporary);
  try {
    await writeSynced(temporary, content, permissions);
    await place(temporary, path);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
    unfinished.delete(temporary);
  }
}

async function linkUnlessThere(from: string, to: string): Promise<void> {
  await link(from, to).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
  });
}

/** Removes temporary files of `path` whose processes no longer exist. */
async function sweep(path: string): Promise<void> {
  const beginning = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(beginning)) continue;
    const writer = /^(\d+)-[\da-f]+\.new$/.exec(name.slice(beginning.length))?.[1];
    const file = join(dirname(path), name);
    // An earlier process may have had the pid of this one.
    const alive = writer === `${process.pid}` ? unfinished.has(file) : existsSync(`/proc/${writer}`);
    if (writer !== undefined && !alive) await rm(file, { force: true });
  }
}

/**
 * The text of a file; undefined when there is no such file.
 * @throws an error of the file system
 */
export async function textAt(path: string): Promise<string | undefined> {
  return await ifThere(readFile(path, 'utf8'));
}

/**
 * Makes a directory and the missing ones above it; their names are durable when it resolves.
 * @param permissions of the directories that are made
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
