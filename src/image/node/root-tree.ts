/** The files of a root file system while it is put together, in memory. */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CpioEntry } from '../../formats/binary/cpio.ts';

/** Top-level directories that are links into `usr`, as in Debian since 12. */
const MERGED = ['bin', 'lib', 'lib64', 'sbin'];

/** A tree to fill. A later entry replaces an earlier one of the same path; missing parents are made with mode 0755. Paths are relative. */
export class RootTree {
  readonly #entries = new Map<string, CpioEntry>();

  constructor() {
    // Without an entry of its own the kernel leaves the root at 1777, so that every user could rename what is in it.
    this.#entries.set('.', { kind: 'directory', path: '.', mode: 0o755 });
    for (const name of MERGED) {
      this.directory(`usr/${name}`);
      this.#entries.set(name, { kind: 'link', path: name, target: `usr/${name}` });
    }
  }

  has(path: string): boolean {
    return this.#entries.has(merged(path));
  }

  directory(path: string, mode = 0o755): void {
    this.#put({ kind: 'directory', path, mode });
  }

  file(path: string, content: string | Uint8Array, mode = 0o644): void {
    this.#put({ kind: 'file', path, mode, content: typeof content === 'string' ? Buffer.from(content) : content });
  }

  link(path: string, target: string): void {
    this.#put({ kind: 'link', path, target });
  }

  /** Copies everything below a directory of the disk, with its modes. @param wanted is asked with paths in the tree */
  async copy(from: string, to = '', wanted: (path: string) => boolean = () => true): Promise<void> {
    const entries = await readdir(from, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const source = join(entry.parentPath, entry.name);
      const path = merged(join(to, source.slice(from.length + 1)));
      if (!wanted(path)) continue;
      if (entry.isSymbolicLink()) this.link(path, await readlink(source));
      else if (entry.isFile()) this.file(path, await readFile(source), (await stat(source)).mode & 0o7777);
      else if (entry.isDirectory() && !this.has(path)) this.directory(path, (await stat(source)).mode & 0o7777);
    }
  }

  /** Sorted by path, so that a directory comes before its contents. */
  entries(): CpioEntry[] {
    return [...this.#entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  #put(entry: CpioEntry): void {
    const path = merged(entry.path);
    for (let above = dirname(path); above !== '.' && !this.#entries.has(above); above = dirname(above)) {
      this.#entries.set(above, { kind: 'directory', path: above, mode: 0o755 });
    }
    this.#entries.set(path, { ...entry, path });
  }
}

function merged(path: string): string {
  return MERGED.includes(path.split('/')[0] ?? '') ? `usr/${path}` : path;
}
