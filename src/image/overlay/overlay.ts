/**
 * The overlay of a machine: the files that its manifests produce. Pure: the same actions and sources give the same
 * entries, and the same entries the same bytes.
 */
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { packTar, unpackTar } from 'modern-tar';
import type { CopyAction, ManifestAction, Mode } from '../../formats/host0/manifest.ts';
import { MeshError } from '../../model/error.ts';

/** One file, directory or link. `path` is relative to the node's root, without a slash at either end. */
export type OverlayEntry =
  | { readonly type: 'directory'; readonly path: string; readonly mode: Mode }
  | { readonly type: 'file'; readonly path: string; readonly mode: Mode; readonly content: Uint8Array }
  | { readonly type: 'link'; readonly path: string; readonly to: string };

/** Reads a source file on host0. @returns undefined if there is no such file; a MeshError if it cannot be read */
export type ReadSource = (path: string) => Uint8Array | undefined | MeshError;

const ROOT_OWNED = { uid: 0, gid: 0 };
const PLAIN_DIRECTORY: Mode = { ...ROOT_OWNED, permissions: 0o755 };
/** Directories that only root may enter (mode 0700) when an overlay makes them as a parent. */
const CLOSED_DIRECTORIES: ReadonlySet<string> = new Set(['root', 'root/.ssh', 'etc/meshwork/keys']);

/** The files of one overlay while its manifests are carried out. */
export class Overlay {
  readonly #entries = new Map<string, OverlayEntry>();
  readonly #errors: MeshError[] = [];

  /** Faults of all actions that were run: MESH_MANIFEST_SOURCE, MESH_MANIFEST_TARGET. */
  get errors(): readonly MeshError[] {
    return this.#errors;
  }

  /** Sorted by path, so that every directory comes before its contents. */
  get entries(): readonly OverlayEntry[] {
    return [...this.#entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /** Runs a manifest's actions in order. A fault in one does not stop the next, so that all faults are reported together. */
  run(actions: readonly ManifestAction[], read: ReadSource): void {
    for (const action of actions) {
      try {
        this.#run(action, read);
      } catch (error) {
        this.#errors.push(MeshError.from(error));
      }
    }
  }

  /** Adds or replaces a file of root's, and makes its parents. */
  putFile(path: string, content: string | Uint8Array, permissions = 0o644): void {
    this.#makeParents(path);
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    this.#entries.set(path, { type: 'file', path, mode: { ...ROOT_OWNED, permissions }, content: bytes });
  }

  /** Adds or replaces a symbolic link to `to`, and makes its parents. */
  putLink(path: string, to: string): void {
    this.#makeParents(path);
    this.#entries.set(path, { type: 'link', path, to });
  }

  /** Adds the lines that a text file does not have yet. Makes the file if there is none. */
  addLines(path: string, lines: readonly string[], permissions = 0o644): void {
    const present = this.#entries.get(path);
    const content = present?.type === 'file' ? Buffer.from(present.content).toString('utf8') : '';
    const there = content.split('\n');
    const news = lines.filter((line) => !there.includes(line));
    if (news.length === 0) return;
    const begun = content === '' || content.endsWith('\n') ? content : `${content}\n`;
    this.putFile(path, `${begun}${news.join('\n')}\n`, permissions);
  }

  /** Sorts the words of a text file, one a line, and removes duplicates. Does nothing if there is no such file. */
  sortLines(path: string): void {
    const entry = this.#entries.get(path);
    if (entry?.type !== 'file') return;
    const lines = Buffer.from(entry.content)
      .toString('utf8')
      .split(/\s+/)
      .filter((line) => line !== '');
    this.#entries.set(path, { ...entry, content: Buffer.from(`${[...new Set(lines)].sort().join('\n')}\n`) });
  }

  #run(action: ManifestAction, read: ReadSource): void {
    const path = action.target.slice(1);
    if (action.type === 'remove') {
      this.#remove(path, action);
      return;
    }
    this.#mustBePossible(path, action);
    if (action.type === 'directory') {
      this.#entries.set(path, { type: 'directory', path, mode: action.mode });
    } else if (action.type === 'link') {
      this.#entries.set(path, { type: 'link', path, to: action.to });
    } else {
      const source = sourceOf(action, read);
      const present = this.#entries.get(path);
      const appends = action.type === 'append' && present?.type === 'file';
      // Machines share the buffer of a group's file: a thousand copies would fill the memory.
      const content = appends ? Buffer.concat([present.content, source]) : source;
      this.#entries.set(path, { type: 'file', path, mode: action.mode, content });
    }
    this.#makeParents(path);
  }

  #remove(path: string, action: ManifestAction): void {
    const gone = [...this.#entries.keys()].filter((other) => other === path || other.startsWith(`${path}/`));
    for (const other of gone) this.#entries.delete(other);
    if (gone.length > 0) return;
    throw misplaced(action, `there is no ${action.target} in the overlay`, {
      rule: 'R removes what an earlier line put into the overlay. It cannot remove files of the system itself.',
      remedy: 'Remove the line, or correct its path.',
    });
  }

  #mustBePossible(path: string, action: ManifestAction): void {
    const present = this.#entries.get(path);
    const needsDirectory = action.type === 'directory';
    if (present !== undefined && (present.type === 'directory') !== needsDirectory) {
      const what = present.type === 'directory' ? 'a directory' : `a ${present.type}`;
      throw misplaced(action, `${action.target} is ${what} already`, {
        rule: 'A directory cannot replace a file or a link, nor the other way round.',
        remedy: 'Remove it first with an R line, or choose another path.',
      });
    }
    for (const parent of parentsOf(path)) {
      const above = this.#entries.get(parent);
      if (above === undefined || above.type === 'directory') continue;
      throw misplaced(action, `/${parent} is a ${above.type}, and nothing can be below it`, {
        rule: 'Every parent of a path is a directory.',
        remedy: 'Choose another path, or remove the other line.',
      });
    }
  }

  #makeParents(path: string): void {
    for (const parent of parentsOf(path)) {
      if (this.#entries.has(parent)) continue;
      const mode = CLOSED_DIRECTORIES.has(parent) ? { ...ROOT_OWNED, permissions: 0o700 } : PLAIN_DIRECTORY;
      this.#entries.set(parent, { type: 'directory', path: parent, mode });
    }
  }
}

function sourceOf({ source, sourcePlace }: CopyAction, read: ReadSource): Uint8Array {
  const content = read(source);
  if (content instanceof Uint8Array) return content;
  throw new MeshError('MESH_MANIFEST_SOURCE', content?.message ?? `there is no file ${source} on host0`, {
    rule: content?.rule ?? 'SRC is a file on host0.',
    remedy: content?.remedy ?? 'Put the file there, or correct the path.',
    place: sourcePlace,
  });
}

function misplaced(
  { targetPlace }: ManifestAction,
  message: string,
  { rule, remedy }: { readonly rule: string; readonly remedy: string },
): MeshError {
  return new MeshError('MESH_MANIFEST_TARGET', message, { rule, remedy, place: targetPlace });
}

/** The parents of a path, outermost first: `etc` and `etc/apk` for `etc/apk/world`. */
function parentsOf(path: string): string[] {
  const names = path.split('/').slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

/** 2020-01-01, the time of all files in a tar. Some programs take 0 for «never». */
const MTIME = new Date(1_577_836_800_000);

/**
 * Packs an overlay as a gzipped tar that both Alpine's initramfs and Meshwork's unpack: names without `./`, ustar
 * headers, directories before their contents.
 * @returns the same bytes for the same entries
 */
export async function packOverlay(entries: readonly OverlayEntry[]): Promise<Buffer> {
  return gzipSync(await packEntries(entries), { level: constants.Z_BEST_SPEED });
}

/** Packs entries as a tar like packOverlay's, not compressed. */
export function packEntries(entries: readonly OverlayEntry[]): Promise<Uint8Array> {
  return packTar(entries.map(tarEntry));
}

function tarEntry(entry: OverlayEntry): Parameters<typeof packTar>[0][number] {
  const common = { mtime: MTIME, uname: '', gname: '' };
  if (entry.type === 'link') {
    const { path: name, to: linkname } = entry;
    return { header: { ...common, name, type: 'symlink', linkname, size: 0, mode: 0o777, uid: 0, gid: 0 } };
  }
  const { uid, gid, permissions } = entry.mode;
  const owned = { ...common, uid, gid, mode: permissions };
  if (entry.type === 'directory') return { header: { ...owned, name: `${entry.path}/`, type: 'directory', size: 0 } };
  return { header: { ...owned, name: entry.path, type: 'file', size: entry.content.length }, body: entry.content };
}

/** The entries of an overlay that packOverlay made. Rejects if the bytes are damaged. */
export async function unpackOverlay(bytes: Uint8Array): Promise<OverlayEntry[]> {
  const entries = await unpackTar(gunzipSync(bytes));
  return entries.map(({ header, data }): OverlayEntry => {
    const path = header.name.replace(/\/$/, '');
    const mode = { uid: header.uid ?? 0, gid: header.gid ?? 0, permissions: header.mode ?? 0 };
    if (header.type === 'symlink') return { type: 'link', path, to: header.linkname ?? '' };
    if (header.type === 'directory') return { type: 'directory', path, mode };
    return { type: 'file', path, mode, content: data ?? new Uint8Array() };
  });
}
