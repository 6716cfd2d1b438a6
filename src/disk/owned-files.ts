/** A directory in which all files are ours: what is in it and not wanted is left over. Nothing in it must survive a power cut. */
import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { lstat, readFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { MeshError } from '../model/error.ts';
import { ifThere } from './durable-file.ts';

/** A file as it is on the disk. */
export interface OwnedFile {
  readonly path: string;
  readonly content: string;
  /** Permissions: the lowest nine bits. */
  readonly mode: number;
  /** What it is in place of a plain file of ours. */
  readonly flaw?: string;
}

const MODE_BITS = 0o777;
/** Larger than any configuration. */
const BYTES_MAX = 16 * 1024 * 1024;
/** For the users that services run as: they may read files whose names they know. */
const DIRECTORY_MODE = 0o711;

/** The files below one directory. A file that has not changed since the last look is not read again. */
export class OwnedFiles {
  readonly #root: string;
  readonly #known = new Map<string, { readonly state: string; readonly file: OwnedFile }>();

  /** @param root the directory; it is made with the first file */
  constructor(root: string) {
    this.#root = root;
  }

  /** All files. @throws an error of the file system */
  async observe(): Promise<OwnedFile[]> {
    const paths = this.#paths();
    for (const path of this.#known.keys()) if (!paths.includes(path)) this.#known.delete(path);
    const files = await Promise.all(paths.map((path) => this.#look(path)));
    return files.filter((file) => file !== undefined);
  }

  /**
   * Replaces a file in one step. What is there in place of a plain file is replaced, too.
   * @throws MESH_DISK_REFUSED
   */
  async write({ path, content, mode }: Pick<OwnedFile, 'path' | 'content' | 'mode'>): Promise<void> {
    this.#mustBeOurs(path);
    const draft = `${path}.new`;
    this.#refusing(path, () => {
      makeDirectory(dirname(path));
      if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) rmSync(path, { recursive: true });
      try {
        writeDraft(draft, content, mode);
        renameSync(draft, path);
      } catch (error) {
        rmSync(draft, { force: true });
        throw error;
      }
    });
  }

  /** Removes a file. @throws MESH_DISK_REFUSED */
  async remove(path: string): Promise<void> {
    this.#mustBeOurs(path);
    this.#refusing(path, () => rmSync(path, { recursive: true, force: true }));
  }

  #mustBeOurs(path: string): void {
    if (join(path) !== path || !path.startsWith(this.#root + sep))
      throw new RangeError(`${path} is not below ${this.#root}`);
  }

  #paths(): string[] {
    // Most nodes have no file, and this is asked in each pass of the loop.
    if (!existsSync(this.#root)) return [];
    const entries = readdirSync(this.#root, { recursive: true, withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() ? [] : [join(entry.parentPath, entry.name)]));
  }

  async #look(path: string): Promise<OwnedFile | undefined> {
    const stat = await ifThere(lstat(path, { bigint: true }));
    if (stat === undefined) return undefined;
    const state = `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
    const known = this.#known.get(path);
    if (known?.state === state) return known.file;
    const mode = Number(stat.mode) & MODE_BITS;
    const flaw = !stat.isFile()
      ? 'is no plain file'
      : stat.size > BYTES_MAX
        ? 'is too long'
        : ownerFlaw(Number(stat.uid));
    const content = flaw === undefined ? await ifThere(readFile(path, 'utf8')) : '';
    if (content === undefined) return undefined;
    const file = { path, content, mode, ...(flaw !== undefined && { flaw }) };
    this.#known.set(path, { state, file });
    return file;
  }

  #refusing(path: string, work: () => void): void {
    try {
      work();
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
}

function ownerFlaw(uid: number): string | undefined {
  return uid === process.geteuid?.() ? undefined : `belongs to the user ${uid}`;
}

/** A few short system calls: on threads of libuv's pool, each would take longer to be handed over than to be done. */
function writeDraft(draft: string, content: string, mode: number): void {
  let file: number;
  try {
    file = openSync(draft, 'wx', mode);
  } catch {
    // What an earlier write, or another program, has left there.
    rmSync(draft, { recursive: true, force: true });
    file = openSync(draft, 'wx', mode);
  }
  try {
    // The umask has taken bits away.
    fchmodSync(file, mode);
    writeFileSync(file, content);
  } finally {
    closeSync(file);
  }
}

/** Makes a directory and those above it. Their permissions do not depend on the umask. */
function makeDirectory(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  makeDirectory(dirname(path));
  mkdirSync(path);
  chmodSync(path, DIRECTORY_MODE);
}
