/**
 * A disk in memory that forgets at a power cut what was not synced: of the changes to names since a directory was synced, any may
 * be lost, in no order. A file's content lasts from when the interface says so.
 */
import { basename, dirname } from 'node:path';
import type { MirrorDisk } from '../../src/image/mirror/mirror-disk.ts';

type Entry =
  | { readonly kind: 'file'; readonly content: Buffer }
  | { readonly kind: 'link'; readonly target: string }
  | Directory;

interface Directory {
  readonly kind: 'directory';
  /** What a program sees now. */
  readonly now: Map<string, Entry>;
  /** What is there after a power cut at least. */
  readonly kept: Map<string, Entry>;
}

/** One change of names that may be lost; a move is one change in two directories. */
interface Change {
  readonly directories: readonly Directory[];
  readonly apply: (which: 'now' | 'kept') => void;
}

/** Thrown where the power goes. */
export class PowerCut extends Error {}

const newDirectory = (): Directory => ({ kind: 'directory', now: new Map(), kept: new Map() });

/** The disk. */
export class ForgetfulDisk implements MirrorDisk {
  /** Operations that change something, so far. */
  operations = 0;
  /** The power goes before the operation with this number. */
  cutAt = Number.POSITIVE_INFINITY;
  readonly #root: Directory = newDirectory();
  #pending: Change[] = [];

  /** Forgets what was not synced: each change stays if `stays` says so. */
  forget(stays: () => boolean): void {
    for (const change of this.#pending) if (stays()) change.apply('kept');
    this.#pending = [];
    this.#restore(this.#root);
    this.cutAt = Number.POSITIVE_INFINITY;
  }

  async write(path: string, content: Uint8Array | string): Promise<void> {
    this.#step();
    this.#put(path, { kind: 'file', content: Buffer.from(content) });
  }

  async take(from: string, to: string): Promise<void> {
    await this.rename(from, to);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step();
    const entry = this.#at(from);
    const [source, target] = [this.#directory(dirname(from)), this.#directory(dirname(to))];
    if (entry === undefined) throw new Error(`there is no ${from}`);
    this.#change([source, target], (which) => {
      source[which].delete(basename(from));
      target[which].set(basename(to), entry);
    });
  }

  async link(from: string, to: string): Promise<void> {
    this.#step();
    const entry = this.#at(from);
    if (entry === undefined) throw new Error(`there is no ${from}`);
    this.#put(to, entry);
  }

  async symlink(target: string, path: string): Promise<void> {
    this.#step();
    this.#put(path, { kind: 'link', target });
  }

  async makeDirectory(path: string): Promise<void> {
    this.#step();
    let at = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      const found = at.now.get(name);
      const next = found?.kind === 'directory' ? found : newDirectory();
      if (next !== found) {
        at.now.set(name, next);
        at.kept.set(name, next);
      }
      at = next;
    }
  }

  /** A new directory, whose name does not last yet. */
  async directory(path: string): Promise<void> {
    this.#step();
    this.#put(path, newDirectory());
  }

  async syncDirectory(path: string): Promise<void> {
    this.#step();
    const directory = this.#directory(path);
    for (const change of this.#pending) if (change.directories.includes(directory)) change.apply('kept');
    this.#pending = this.#pending.filter((change) => !change.directories.includes(directory));
  }

  async remove(path: string): Promise<void> {
    this.#step();
    if (this.#at(path) === undefined) return;
    const directory = this.#directory(dirname(path));
    this.#change([directory], (which) => directory[which].delete(basename(path)));
  }

  async read(path: string): Promise<Buffer | undefined> {
    const found = this.#at(path);
    return found?.kind === 'file' ? found.content : undefined;
  }

  async readlink(path: string): Promise<string | undefined> {
    const found = this.#at(path);
    return found?.kind === 'link' ? found.target : undefined;
  }

  async bytes(path: string): Promise<number | undefined> {
    return (await this.read(path))?.length;
  }

  async list(path: string): Promise<readonly string[]> {
    const found = this.#at(path);
    return found?.kind === 'directory' ? [...found.now.keys()] : [];
  }

  #step(): void {
    if (++this.operations >= this.cutAt) throw new PowerCut();
  }

  #put(path: string, entry: Entry): void {
    const directory = this.#directory(dirname(path));
    if (directory.now.has(basename(path))) throw new Error(`${path} exists`);
    this.#change([directory], (which) => directory[which].set(basename(path), entry));
  }

  #change(directories: readonly Directory[], apply: Change['apply']): void {
    apply('now');
    this.#pending.push({ directories, apply });
  }

  #at(path: string): Entry | undefined {
    let at: Entry | undefined = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      at = at?.kind === 'directory' ? at.now.get(name) : undefined;
    }
    return at;
  }

  #directory(path: string): Directory {
    const found = this.#at(path);
    if (found?.kind !== 'directory') throw new Error(`there is no directory ${path}`);
    return found;
  }

  #restore(directory: Directory): void {
    directory.now.clear();
    for (const [name, entry] of directory.kept) {
      directory.now.set(name, entry);
      if (entry.kind === 'directory') this.#restore(entry);
    }
  }
}
