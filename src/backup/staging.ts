/** Puts what a backup has beside its place, file by file, as the archive is read. Nothing of this machine changes. */
import { dirname, join } from 'node:path';
import type { Area } from './archive/areas.ts';
import { STAGE } from './archive/areas.ts';
import type { Attributes, ManifestEntry } from './archive/manifest.ts';
import { isOnDisk, type RestoreDisk } from './restore-disk.ts';
import { directoriesOf, type Move, newAt } from './switch.ts';

/** The new state while it is put together. */
export class Staging {
  readonly #disk: RestoreDisk;
  readonly #areas: ReadonlyMap<string, Area>;
  /** The areas whose directory is not there: it comes as a whole. */
  readonly #whole = new Set<string>();
  readonly #moves = new Map<string, Move>();
  readonly #directories: { readonly path: string; readonly attributes: Attributes }[] = [];

  private constructor(disk: RestoreDisk, areas: readonly Area[]) {
    this.#disk = disk;
    this.#areas = new Map(areas.map((area) => [area.name, area]));
  }

  /** Begins anew: removes what an earlier restore has left. @throws MESH_DISK_REFUSED */
  static async begin(disk: RestoreDisk, areas: readonly Area[]): Promise<Staging> {
    const staging = new Staging(disk, areas);
    for (const { name, directory } of areas) {
      if (!(await isOnDisk(disk, directory))) staging.#whole.add(name);
    }
    return staging;
  }

  /** All that is replaced: what the backup has, and what it has not. */
  async moves(): Promise<readonly Move[]> {
    const moves = new Map(this.#moves);
    for (const { name, directory, owns } of this.#areas.values()) {
      if (this.#whole.has(name)) continue;
      for (const child of await this.#disk.list(directory)) {
        const target = join(directory, child);
        if (owns(child) && !moves.has(target)) moves.set(target, { target, isNew: false });
      }
    }
    return [...moves.values()];
  }

  /** Lets a name of this machine go. */
  async drop(target: string): Promise<void> {
    if (await isOnDisk(this.#disk, target)) this.#moves.set(target, { target, isNew: false });
  }

  /** Where a file that is no entry of the backup is put together. @throws MESH_DISK_REFUSED */
  async place(target: string): Promise<string> {
    await this.#claim(target);
    return newAt(target);
  }

  /** Puts another content in the place of a file of the backup. @throws MESH_DISK_REFUSED */
  async rewrite(entry: ManifestEntry & { readonly type: 'file' }, text: string): Promise<void> {
    const path = await this.#at(entry.path);
    if (path === undefined) return;
    await this.#disk.remove(path);
    await this.#disk.file(path, Buffer.from(text), entry);
  }

  /** Puts an entry beside its place. @param content of a file @throws MESH_DISK_REFUSED */
  async put(entry: ManifestEntry, content: AsyncIterable<Uint8Array>): Promise<void> {
    const disk = this.#disk;
    const path = await this.#at(entry.path);
    if (path === undefined) return;
    switch (entry.type) {
      case 'directory':
        await disk.directory(path);
        this.#directories.push({ path, attributes: entry });
        return;
      case 'symlink':
        return await disk.symlink(entry.to, path);
      case 'link': {
        const from = await this.#at(entry.to);
        if (from !== undefined) await disk.link(from, path);
        return;
      }
      case 'file':
        return await disk.file(path, content, entry);
    }
  }

  /** Makes all that was put together last. @throws MESH_DISK_REFUSED */
  async finish(): Promise<void> {
    for (const { path, attributes } of this.#directories.toReversed()) {
      await this.#disk.attribute(path, attributes);
      await this.#disk.syncDirectory(path);
    }
    for (const directory of directoriesOf([...this.#moves.values()])) {
      const staged = join(directory, STAGE, 'new');
      await this.#disk.makeDirectory(staged);
      await this.#disk.syncDirectory(staged);
    }
  }

  /** Removes all that was put together. */
  async giveUp(): Promise<void> {
    for (const directory of directoriesOf([...this.#moves.values()])) await this.#disk.remove(join(directory, STAGE));
  }

  /** Where the entry of a path is put together; undefined for the directory of an area that is there already. */
  async #at(path: string): Promise<string | undefined> {
    const [name = '', first, ...more] = path.split('/');
    const area = this.#areas.get(name);
    if (area === undefined) return undefined;
    if (this.#whole.has(name)) {
      await this.#claim(area.directory);
      return join(newAt(area.directory), ...(first === undefined ? [] : [first, ...more]));
    }
    // What this machine keeps is not taken from the backup.
    if (first === undefined || !area.owns(first)) return undefined;
    const target = join(area.directory, first);
    await this.#claim(target);
    return join(newAt(target), ...more);
  }

  async #claim(target: string): Promise<void> {
    if (this.#moves.get(target)?.isNew === true) return;
    const staged = dirname(newAt(target));
    const isFirst = !directoriesOf([...this.#moves.values()]).includes(dirname(target));
    this.#moves.set(target, { target, isNew: true });
    if (!isFirst) return;
    await this.#disk.remove(dirname(staged));
    await this.#disk.makeDirectory(staged);
  }
}
