/**
 * The overlay of a machine: the files that its manifests produce. Pure: the same actions and sources give the same
 * entries, and the same entries the same bytes.
 */
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { packTar, unpackTar } from 'modern-tar';
import type { CopyAction, ManifestAction, Mode } from '../../formats/host0/manifest.ts';
import { MeshError, type MeshErrorInit } from '../../model/error.ts';
import { imageHas, pathFault, pathWarning, permissionsOnTheWay } from './system-paths.ts';

/** One file, directory or link. `path` is relative to the node's root, without a slash at either end. */
export type OverlayEntry =
  | { readonly type: 'directory'; readonly path: string; readonly mode: Mode }
  | { readonly type: 'file'; readonly path: string; readonly mode: Mode; readonly content: Uint8Array }
  | { readonly type: 'link'; readonly path: string; readonly to: string };

/** Reads a source file on host0. @returns undefined if there is no such file; a MeshError if it cannot be read */
export type ReadSource = (path: string) => Uint8Array | undefined | MeshError;

const ROOT_OWNED = { uid: 0, gid: 0 };
const NEWLINE = 0x0a;

/** The files of one overlay while its manifests are carried out. */
export class Overlay {
  readonly #entries = new Map<string, OverlayEntry>();
  /** Directories above the entries that no line names. */
  readonly #onTheWay = new Set<string>();
  /** The line that an entry comes from. */
  readonly #origins = new Map<string, ManifestAction>();
  readonly #errors: MeshError[] = [];
  readonly #warnings: MeshError[] = [];

  /** Faults of all actions that were run: MESH_MANIFEST_SOURCE, MESH_MANIFEST_TARGET. */
  get errors(): readonly MeshError[] {
    return this.#errors;
  }

  /** Actions that may do something else on the machine than what they seem to do: MESH_MANIFEST_TARGET. */
  get warnings(): readonly MeshError[] {
    return this.#warnings;
  }

  /**
   * Sorted by path, so that every directory comes before its contents. Directories on the way to a file are left out: the
   * image has most of them, and an entry would change their permissions. Where one is missing, tar makes it with 755. An
   * entry is there for a directory that has other permissions on every system.
   */
  get entries(): readonly OverlayEntry[] {
    const directories = [...this.#onTheWay].flatMap((path): OverlayEntry[] => {
      const permissions = permissionsOnTheWay(path);
      if (permissions === undefined || this.#entries.has(path)) return [];
      return [{ type: 'directory', path, mode: { ...ROOT_OWNED, permissions } }];
    });
    return [...directories, ...this.#entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  get(path: string): OverlayEntry | undefined {
    return this.#entries.get(path);
  }

  /** The files below a directory, in no order. */
  filesBelow(directory: string): readonly Extract<OverlayEntry, { readonly type: 'file' }>[] {
    const isBelow = ({ path }: OverlayEntry) => path.startsWith(`${directory}/`);
    return [...this.#entries.values()].filter((entry) => entry.type === 'file').filter(isBelow);
  }

  /** The line of a manifest that put the entry at this path there; undefined for what Meshwork itself adds. */
  originOf(path: string): ManifestAction | undefined {
    return this.#origins.get(path);
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
    this.#noteParents(path);
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    this.#entries.set(path, { type: 'file', path, mode: { ...ROOT_OWNED, permissions }, content: bytes });
  }

  /** Replaces the content of a file, and keeps its mode; puts one of root's if there is none. */
  rewrite(path: string, content: string): void {
    const present = this.#entries.get(path);
    if (present?.type !== 'file') this.putFile(path, content);
    else this.#entries.set(path, { ...present, content: Buffer.from(content) });
  }

  /** Adds or replaces a symbolic link to `to`, and makes its parents. */
  putLink(path: string, to: string): void {
    this.#noteParents(path);
    this.#entries.set(path, { type: 'link', path, to });
  }

  /** Adds the lines that a text file does not have yet, and makes it root's, with these permissions. */
  addLines(path: string, lines: readonly string[], permissions = 0o644): void {
    const present = this.#entries.get(path);
    const content = present?.type === 'file' ? present.content : new Uint8Array();
    const there = Buffer.from(content).toString('utf8').split('\n');
    const news = lines.filter((line) => !there.includes(line)).map((line) => `${line}\n`);
    if (lines.length > 0) this.putFile(path, joined(content, Buffer.from(news.join(''))), permissions);
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
      const content = action.type === 'append' ? this.#appended(path, source, action) : source;
      this.#entries.set(path, { type: 'file', path, mode: action.mode, content });
    }
    this.#origins.set(path, action);
    this.#noteParents(path);
  }

  /** What `A` makes of the file at a path. Machines share the buffer of a group's file: a thousand copies would fill the memory. */
  #appended(path: string, source: Uint8Array, action: CopyAction): Uint8Array {
    const present = this.#entries.get(path);
    if (present?.type === 'file') return joined(present.content, source);
    const has = imageHas(path);
    if (present !== undefined || has === 'no') return source;
    const replaced = misplaced(
      action,
      has === 'yes'
        ? `A would replace ${action.target} of the image`
        : `A replaces ${action.target}, if the image or a package has it`,
      {
        rule: 'A appends to what earlier lines put into the overlay. host0 does not know what the image has in a file.',
        remedy: 'Put the whole file there with a line O before this one, or with O in place of A.',
      },
    );
    if (has === 'yes') throw replaced;
    this.#warnings.push(replaced);
    return source;
  }

  #remove(path: string, action: ManifestAction): void {
    const gone = [...this.#entries.keys()].filter((other) => other === path || other.startsWith(`${path}/`));
    for (const other of gone) {
      this.#entries.delete(other);
      this.#origins.delete(other);
    }
    if (gone.length > 0) {
      this.#onTheWay.clear();
      for (const other of this.#entries.keys()) this.#noteParents(other);
      return;
    }
    throw misplaced(action, `there is no ${action.target} in the overlay`, {
      rule: 'R removes what an earlier line put into the overlay. It cannot remove files of the system itself.',
      remedy: 'Remove the line, or correct its path.',
    });
  }

  #mustBePossible(path: string, action: ManifestAction): void {
    const fault = pathFault(action);
    if (fault !== undefined) throw misplaced(action, fault.message, fault);
    const warning = pathWarning(action);
    if (warning !== undefined) this.#warnings.push(misplaced(action, warning.message, warning));
    const present = this.#entries.get(path)?.type ?? (this.#onTheWay.has(path) ? 'directory' : undefined);
    const needsDirectory = action.type === 'directory';
    if (present !== undefined && (present === 'directory') !== needsDirectory) {
      const what = `a ${present}`;
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

  #noteParents(path: string): void {
    for (const parent of parentsOf(path)) this.#onTheWay.add(parent);
  }
}

/** Two texts one after the other. The first may have no newline at its end. */
function joined(before: Uint8Array, source: Uint8Array): Uint8Array {
  const ended = before.length === 0 || source.length === 0 || before.at(-1) === NEWLINE;
  return Buffer.concat(ended ? [before, source] : [before, Buffer.from([NEWLINE]), source]);
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
  { rule, remedy }: Pick<MeshErrorInit, 'rule' | 'remedy'>,
): MeshError {
  return new MeshError('MESH_MANIFEST_TARGET', message, {
    ...(rule !== undefined && { rule }),
    ...(remedy !== undefined && { remedy }),
    place: targetPlace,
  });
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
 * headers, directories before their contents. tar makes missing directories with 755, since both have the umask 022.
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
