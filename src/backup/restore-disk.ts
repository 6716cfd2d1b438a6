/** What a restore needs of a disk. Names last a power cut only once their directory was synced; a test forgets the others. */
import { chmod, chown, link, mkdir, open, readdir, readFile, rename, rm, symlink, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ifThere, makeDirectory, syncDirectory } from '../disk/durable-file.ts';
import { MeshError } from '../model/error.ts';
import type { Attributes } from './archive/manifest.ts';

/** A disk. Every change may fail with MESH_DISK_REFUSED. */
export interface RestoreDisk {
  /** A new file, whose content lasts. Its name does not yet. */
  file(path: string, content: AsyncIterable<Uint8Array> | Uint8Array, attributes?: Attributes): Promise<void>;
  /** A new directory that only root reads. Its name does not last yet. */
  directory(path: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  /** A second name for a file. */
  link(from: string, to: string): Promise<void>;
  /** Gives a directory its owner, permissions and time. To be called when all is in it. */
  attribute(path: string, attributes: Attributes): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A file or a directory with all that is in it; nothing if there is none. */
  remove(path: string): Promise<void>;
  /** With the directories above it; their names last. */
  makeDirectory(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  read(path: string): Promise<Buffer | undefined>;
  /** The names in a directory; none if there is no directory. */
  list(path: string): Promise<readonly string[]>;
}

const SECRET = 0o600;
const CLOSED = 0o700;

/** The disk of this machine. */
export const machineDisk: RestoreDisk = {
  file: (path, content, attributes) =>
    refusing(path, async () => {
      const file = await open(path, 'wx', SECRET);
      try {
        if (content instanceof Uint8Array) await file.writeFile(content);
        else for await (const chunk of content) await file.writeFile(chunk);
        if (attributes !== undefined) {
          await file.chown(attributes.uid, attributes.gid);
          await file.chmod(attributes.mode);
          await file.utimes(attributes.mtimeSec, attributes.mtimeSec);
        }
        await file.sync();
      } finally {
        await file.close();
      }
    }),
  directory: (path) => refusing(path, async () => void (await mkdir(path, { mode: CLOSED }))),
  symlink: (target, path) => refusing(path, () => symlink(target, path)),
  link: (from, to) => refusing(to, () => link(from, to)),
  attribute: (path, { mode, uid, gid, mtimeSec }) =>
    refusing(path, async () => {
      await chown(path, uid, gid);
      await chmod(path, mode);
      await utimes(path, mtimeSec, mtimeSec);
    }),
  rename: (from, to) => refusing(to, () => rename(from, to)),
  remove: (path) => refusing(path, () => rm(path, { recursive: true, force: true })),
  makeDirectory: (path) => makeDirectory(path),
  syncDirectory: (path) => syncDirectory(path),
  read: (path) => ifThere(readFile(path)),
  list: (path) => refusing(path, async () => (await ifThere(readdir(path))) ?? []),
};

/** Whether there is something at a path. */
export async function isOnDisk(disk: Pick<RestoreDisk, 'list'>, path: string): Promise<boolean> {
  const parent = dirname(path);
  return (await disk.list(parent)).includes(path.slice(parent === '/' ? 1 : parent.length + 1));
}

async function refusing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    throw new MeshError('MESH_DISK_REFUSED', `${path} cannot be written: ${MeshError.from(cause).message}`, {
      operation: 'restore backup',
      object: path,
      remedy: 'Make room on the disk, and see that it is mounted for writing; until then all stays as it is.',
      cause,
      retryable: true,
    });
  }
}
