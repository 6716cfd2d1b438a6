/** The files of host0 that manifests copy to machines. host0's own keys are never among them. */
import { type BigIntStats, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { MeshError } from '../../model/error.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import type { ReadSource } from './overlay.ts';

/** A larger file is a mistake: an overlay is unpacked into the RAM of the machine. */
const SOURCE_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Reads each source once, since a thousand machines may share the files of a group. Paths below `/host0` are read below the
 * real `/host0`.
 */
export function sourcesOf({ root, host0, state }: Pick<Paths, 'root' | 'host0' | 'state'>): ReadSource {
  const known = new Map<string, ReturnType<ReadSource>>();
  const keys = new KeyFiles(join(state, 'keys'));
  return (path) => {
    if (!known.has(path)) {
      known.set(path, readSource(path.startsWith('/host0/') ? join(host0, path.slice(7)) : join(root, path), keys));
    }
    return known.get(path);
  };
}

function readSource(file: string, keys: KeyFiles): ReturnType<ReadSource> {
  const refuse = (why: string, remedy: string, rule?: string) =>
    new MeshError('MESH_MANIFEST_SOURCE', `${file} ${why}`, {
      remedy: `${remedy}.`,
      ...(rule !== undefined && { rule }),
    });
  try {
    const found = statSync(file, { bigint: true });
    if (found.isDirectory())
      return refuse('is a directory', 'Give each file in it a line of its own; D makes a directory');
    // Reading a pipe or a device may never end.
    if (!found.isFile()) return refuse('is not a regular file', 'Name a regular file');
    if (keys.has(found)) {
      return refuse(
        "is one of host0's own keys",
        'Remove the line. Every machine gets its own keys with its secrets, and the public key of host0 automatically',
        'Overlays are sent without encryption: whoever reads one would be root on every node.',
      );
    }
    if (found.size <= SOURCE_MAX_BYTES) return readFileSync(file);
    return refuse(
      `is larger than ${SOURCE_MAX_BYTES / 1024 / 1024} MiB`,
      'Serve it from isos/, or put it into the image',
    );
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    return refuse(`cannot be read: ${MeshError.from(cause).message}`, 'Correct the file or its permissions');
  }
}

/** The files of a directory of keys, by whatever name or link they are reached. */
class KeyFiles {
  readonly #directory: string;
  /** Device and inode of each, which a hard link and a bind mount share with it. */
  #inodes: ReadonlySet<string> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  has(found: BigIntStats): boolean {
    this.#inodes ??= this.#read();
    return this.#inodes.has(inodeOf(found));
  }

  #read(): ReadonlySet<string> {
    try {
      const entries = readdirSync(this.#directory, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
      return new Set(files.map((key) => inodeOf(statSync(key, { bigint: true }))));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return new Set();
      throw error;
    }
  }
}

function inodeOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}
