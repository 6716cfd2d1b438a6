/** What a machine has in its areas now: each directory, file and link, with its hash. */
import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ifThere } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';
import type { Area } from './areas.ts';
import type { Attributes, ManifestEntry } from './manifest.ts';

/** An entry, and where it is on this machine. */
export interface FoundEntry {
  readonly entry: ManifestEntry;
  readonly source: string;
}

/** What was found. */
export interface Contents {
  /** Directories before what is in them, each directory in the order of names. */
  readonly entries: readonly FoundEntry[];
  /** Pipes, sockets and devices, which no backup has. */
  readonly skipped: readonly string[];
}

/** Lists and hashes all that is in areas. @throws MESH_BACKUP_CHANGED for a file that another program writes all the time */
export async function contentsOf(areas: readonly Area[]): Promise<Contents> {
  const entries: FoundEntry[] = [];
  const skipped: string[] = [];
  /** The first path of each file that has several names. */
  const names = new Map<string, string>();
  const visit = async (path: string, source: string): Promise<void> => {
    const found = await ifThere(lstat(source));
    if (found === undefined) return;
    if (found.isSymbolicLink()) {
      entries.push({ entry: { path, type: 'symlink', to: await readlink(source) }, source });
    } else if (found.isDirectory()) {
      entries.push({ entry: { path, type: 'directory', ...attributesOf(found) }, source });
      for (const name of ((await ifThere(readdir(source))) ?? []).toSorted())
        await visit(`${path}/${name}`, join(source, name));
    } else if (found.isFile()) {
      const inode = `${found.dev} ${found.ino}`;
      const first = found.nlink > 1 ? names.get(inode) : undefined;
      if (first !== undefined) entries.push({ entry: { path, type: 'link', to: first }, source });
      else {
        names.set(inode, path);
        const entry = await hashedFile(path, source);
        if (entry !== undefined) entries.push({ entry, source });
      }
    } else skipped.push(source);
  };
  for (const { name: area, directory, owns } of areas) {
    const own = ((await ifThere(readdir(directory))) ?? []).filter(owns).toSorted();
    const found = own.length === 0 ? undefined : await ifThere(stat(directory));
    if (found === undefined) continue;
    entries.push({ entry: { path: area, type: 'directory', ...attributesOf(found) }, source: directory });
    for (const name of own) await visit(`${area}/${name}`, join(directory, name));
  }
  return { entries, skipped };
}

/** Each program of ours replaces files whole: one that changes while it is read is written in place, by somebody else. */
const TRIES = 5;

async function hashedFile(path: string, source: string): Promise<ManifestEntry | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const before = await ifThere(lstat(source));
    if (before === undefined) return undefined;
    const hash = createHash('sha256');
    let bytes = 0;
    const isRead = await ifThere(
      pipeline(createReadStream(source), async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          hash.update(chunk);
          bytes += chunk.length;
        }
      }).then(() => true),
    );
    const after = await ifThere(lstat(source));
    if (isRead === undefined || after === undefined) return undefined;
    if (isSame(before, after) && bytes === after.size)
      return { path, type: 'file', bytes, sha256: hash.digest('hex'), ...attributesOf(after) };
  }
  throw changedFile(source);
}

function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.size === other.size && one.mtimeMs === other.mtimeMs;
}

function attributesOf({ mode, uid, gid, mtimeMs }: Stats): Attributes {
  return { mode: mode & 0o7777, uid, gid, mtimeSec: Math.max(0, Math.floor(mtimeMs / 1000)) };
}

/** The error for a file that is another one each time it is read. */
export function changedFile(source: string): MeshError {
  return new MeshError('MESH_BACKUP_CHANGED', `${source} changes while it is read`, {
    operation: 'write backup',
    object: source,
    remedy: 'Wait until the program that writes the file has ended, and run the command again.',
    retryable: true,
  });
}

/** The bytes of a file or of all files below a directory; 0 if there is nothing. */
export async function bytesBelow(path: string): Promise<number> {
  const found = await ifThere(lstat(path));
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.size;
  let bytes = 0;
  for (const name of (await ifThere(readdir(path))) ?? []) bytes += await bytesBelow(join(path, name));
  return bytes;
}
