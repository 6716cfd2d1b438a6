/** What the mirror needs of a disk. Names last a power cut only once their directory was synced; a test forgets the others. */
import { link, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { ifThere, makeDirectory, syncDirectory, syncFile, writeSynced } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';

/** A disk. Every change may fail with MESH_DISK_REFUSED. */
export interface MirrorDisk {
  /** A new file, whose content lasts. Its name does not yet. */
  write(path: string, content: Uint8Array | string): Promise<void>;
  /** Makes the content of a file last that was written elsewhere, and moves the file. */
  take(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for a file. */
  link(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  /** With the directories above it; their names last. */
  makeDirectory(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** A file or a directory with all that is in it; nothing if there is none. */
  remove(path: string): Promise<void>;
  read(path: string): Promise<Buffer | undefined>;
  readlink(path: string): Promise<string | undefined>;
  /** Undefined if there is no file. */
  bytes(path: string): Promise<number | undefined>;
  list(path: string): Promise<readonly string[]>;
}

const SHOWN = 0o644;

/** The disk of this machine. */
export const systemDisk: MirrorDisk = {
  write: (path, content) => refusing(path, () => writeSynced(path, content, SHOWN)),
  take: (from, to) =>
    refusing(to, async () => {
      await syncFile(from);
      await rename(from, to);
    }),
  rename: (from, to) => refusing(to, () => rename(from, to)),
  link: (from, to) => refusing(to, () => link(from, to)),
  symlink: (target, path) => refusing(path, () => symlink(target, path)),
  makeDirectory: (path) => makeDirectory(path),
  syncDirectory: (path) => syncDirectory(path),
  remove: (path) => refusing(path, () => rm(path, { recursive: true, force: true })),
  read: (path) => ifThere(readFile(path)),
  readlink: (path) => ifThere(readlink(path)),
  bytes: async (path) => (await ifThere(stat(path)))?.size,
  list: async (path) => (await ifThere(readdir(path))) ?? [],
};

async function refusing(path: string, change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (cause) {
    throw new MeshError('MESH_DISK_REFUSED', `${path} cannot be written: ${MeshError.from(cause).message}`, {
      operation: 'write mirror',
      object: path,
      remedy: 'Make room on the disk, and see that it is mounted for writing; until then the mirror stays as it is.',
      cause,
      retryable: true,
    });
  }
}
