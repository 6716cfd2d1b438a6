/**
 * The mirror on host0's disk, in the directory `mirror` of its state:
 *
 *     pool/<SHA-1 of the control data>.apk   each package once
 *     pool/<SHA-256>.boot                    kernels and what belongs to them
 *     generations/<number>/generation.json   what a generation has
 *     generations/<number>/files/…           the tree that machines fetch: names for files of the pool, and our indexes
 *     generations/current                    a link to the generation that machines begin with
 *
 * A generation is written whole before its name exists, and never changed. So a power cut leaves the old one or the new one.
 */
import { dirname, join } from 'node:path';
import { ApkFault } from '../../formats/apk/apk-fault.ts';
import { indexTextOf } from '../../formats/apk/index-archive.ts';
import { packageFileName } from '../../formats/apk/package-index.ts';
import { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { type Generation, GenerationShape } from './generation.ts';
import { type MirrorDisk, systemDisk } from './mirror-disk.ts';

/** A generation on the disk. */
export interface ListedGeneration extends Generation {
  /** Whether machines begin with it. */
  readonly current: boolean;
}

/** A file of a generation that is no package. */
export interface GenerationFile {
  /** Below the tree that machines fetch. */
  readonly path: string;
  readonly content: Uint8Array;
}

const CURRENT = 'current';
/** The index of a repository, as apk asks for it. */
export const INDEX_FILE = 'APKINDEX.tar.gz';
const NUMBER = /^[1-9]\d{0,8}$/;
const DESCRIPTION = 'generation.json';
/** Besides the current one: for `rollback`, and for machines that are between their first file and their last. */
export const KEPT = 3;
/** A generation stays for so long after the next one was built: machines may be between their first file and their last. */
const LEAST_AGE_MS = 3600 * 1000;
/** What a generation is called while it is written, and while it is removed. */
const HIDDEN = /^[1-9]\d{0,8}\.(?:new|old)$/;

/** The generations and the pool. One process writes at a time; machines read whenever they like. */
export class MirrorStore {
  readonly #directory: string;
  readonly #disk: MirrorDisk;

  /** @param stateDirectory host0's state directory (`Paths.state`) */
  constructor(stateDirectory: string, disk: MirrorDisk = systemDisk) {
    this.#directory = join(stateDirectory, 'mirror');
    this.#disk = disk;
  }

  get pool(): string {
    return join(this.#directory, 'pool');
  }

  get generations(): string {
    return join(this.#directory, 'generations');
  }

  /** Where the file of a package is, or will be. */
  packagePath(checksum: string): string {
    return join(this.pool, `${Buffer.from(checksum.slice(2), 'base64').toString('hex')}.apk`);
  }

  bootPath(sha256: string): string {
    return join(this.pool, `${sha256}.boot`);
  }

  /** Makes the directories. @throws MESH_DISK_REFUSED */
  async prepare(): Promise<void> {
    await this.#disk.makeDirectory(this.pool);
    await this.#disk.makeDirectory(this.generations);
  }

  /** Takes a file that was fetched and checked into the pool. @throws MESH_DISK_REFUSED */
  async take(fetched: string, path: string): Promise<void> {
    await this.#disk.take(fetched, path);
  }

  /** Puts a file of host0's own making into the pool. @throws MESH_DISK_REFUSED */
  async put(content: Uint8Array, path: string): Promise<void> {
    if (await this.has(path, content.length)) return;
    await this.#disk.write(`${path}.new`, content);
    await this.#disk.rename(`${path}.new`, path);
  }

  async has(path: string, bytes?: number): Promise<boolean> {
    const found = await this.#disk.bytes(path);
    return found !== undefined && (bytes === undefined || found === bytes);
  }

  /** All whole generations, the newest first. */
  async list(): Promise<ListedGeneration[]> {
    const current = await this.currentNumber();
    const names = (await this.#disk.list(this.generations)).filter((name) => NUMBER.test(name));
    const found = await Promise.all(names.map((name) => this.#read(Number(name))));
    return found
      .flatMap((generation) => generation ?? [])
      .map((generation) => ({ ...generation, current: generation.number === current }))
      .sort((a, b) => b.number - a.number);
  }

  /** What machines begin with; undefined while there is no mirror. */
  async current(): Promise<ListedGeneration | undefined> {
    const number = await this.currentNumber();
    const generation = number === undefined ? undefined : await this.#read(number);
    return generation && { ...generation, current: true };
  }

  /** Whether all files of a generation are there, by their names. */
  async isWhole({ number, packages, architecture, boot }: Generation): Promise<boolean> {
    const paths = packages.map((one) => packageTreePath(one.repository, architecture, packageFileName(one)));
    const files = boot?.files.map(({ name }) => `boot/${name}`) ?? [];
    const there = await Promise.all(
      [...paths, ...files].map((path) => this.#disk.bytes(join(this.generations, `${number}`, 'files', path))),
    );
    return there.every((bytes) => bytes !== undefined);
  }

  /** The text of an index of ours. @throws MESH_MIRROR_DAMAGED */
  async indexText({ number, architecture }: Generation, repository: string): Promise<string> {
    const path = join(this.generations, `${number}`, 'files', packageTreePath(repository, architecture, INDEX_FILE));
    const bytes = await this.#disk.read(path);
    try {
      if (bytes !== undefined) return indexTextOf(bytes);
    } catch (error) {
      if (!(error instanceof ApkFault)) throw error;
    }
    throw new MeshError('MESH_MIRROR_DAMAGED', `${path} is not there, or damaged`, {
      operation: 'read index',
      object: path,
      remedy: 'Run `mesh system download --verify`, which makes the indexes anew.',
    });
  }

  /** A number that no generation has had. */
  async nextNumber(): Promise<number> {
    const names = (await this.#disk.list(this.generations)).flatMap(
      (name) => /^([1-9]\d{0,8})(?:\.new|\.old)?$/.exec(name)?.[1] ?? [],
    );
    return Math.max(0, ...names.map(Number)) + 1;
  }

  /**
   * Writes a generation and lets machines begin with it; durable when it resolves. Everything that it names is in the pool.
   * @throws MESH_DISK_REFUSED; the generation before stays
   */
  async publish(generation: Generation, files: readonly GenerationFile[]): Promise<void> {
    const disk = this.#disk;
    const finished = join(this.generations, `${generation.number}`);
    const unfinished = `${finished}.new`;
    const tree = join(unfinished, 'files');
    await disk.syncDirectory(this.pool);
    await disk.remove(unfinished);
    try {
      const { architecture, packages, boot } = generation;
      const links = packages.map((one) => ({
        from: this.packagePath(one.checksum),
        to: join(tree, packageTreePath(one.repository, architecture, packageFileName(one))),
      }));
      for (const { name, sha256 } of boot?.files ?? [])
        links.push({ from: this.bootPath(sha256), to: join(tree, 'boot', name) });
      const written = files.map(({ path, content }) => ({ path: join(tree, path), content }));
      const directories = new Set([...links.map(({ to }) => dirname(to)), ...written.map(({ path }) => dirname(path))]);
      await disk.makeDirectory(unfinished);
      for (const directory of directories) await disk.makeDirectory(directory);
      for (const { from, to } of links) await disk.link(from, to);
      for (const { path, content } of written) await disk.write(path, content);
      for (const directory of directories) await disk.syncDirectory(directory);
      await disk.write(join(unfinished, DESCRIPTION), `${JSON.stringify(generation)}\n`);
      await disk.syncDirectory(unfinished);
      await disk.rename(unfinished, finished);
      await disk.syncDirectory(this.generations);
      await this.#setCurrent(generation.number);
    } catch (error) {
      await disk.remove(unfinished).catch(() => undefined);
      throw error;
    }
  }

  /**
   * Lets machines begin with another generation.
   * @param number the one before the current one if it is not given
   * @throws MESH_MIRROR_NONE, MESH_DISK_REFUSED
   */
  async rollback(number?: number): Promise<ListedGeneration> {
    const all = await this.list();
    const at = all.findIndex(({ current }) => current);
    const wanted = number === undefined ? all[at + 1] : all.find((generation) => generation.number === number);
    if (wanted === undefined) throw noGeneration(number, all);
    if (!(await this.isWhole(wanted))) {
      throw new MeshError('MESH_MIRROR_DAMAGED', `generation ${wanted.number} lacks files`, {
        operation: 'roll back mirror',
        object: `${wanted.number}`,
        remedy: 'Choose another one, which `mesh system generations` lists.',
      });
    }
    await this.#setCurrent(wanted.number);
    return { ...wanted, current: true };
  }

  /**
   * Removes generations that are neither current nor among the newest nor just followed, and files of the pool that none names.
   * One that this version cannot read stays: a later version of host0 may have made it. Its packages are in its own tree, too.
   * @returns the bytes that were freed
   */
  async collectGarbage(now: Date): Promise<number> {
    const disk = this.#disk;
    const all = await this.list();
    // A clock that was wrong must not keep a generation for years.
    const isRecent = (next: Generation | undefined) =>
      next !== undefined && Math.abs(now.getTime() - Date.parse(next.builtAt)) < LEAST_AGE_MS;
    const kept = all.filter(({ current }, index) => current || index <= KEPT || isRecent(all[index - 1]));
    const gone = all.filter((generation) => !kept.includes(generation)).map(({ number }) => `${number}`);
    // Machines see a generation whole or not at all: where there is no directory, they are led to the current one.
    for (const name of gone) {
      const aside = join(this.generations, `${name}.old`);
      await disk.remove(aside);
      await disk.rename(join(this.generations, name), aside);
    }
    await disk.syncDirectory(this.generations);
    for (const name of await disk.list(this.generations)) {
      if (HIDDEN.test(name) || name === `${CURRENT}.new`) await disk.remove(join(this.generations, name));
    }
    await disk.syncDirectory(this.generations);
    const used = new Set(
      kept.flatMap(({ packages, boot }) => [
        ...packages.map(({ checksum }) => this.packagePath(checksum)),
        ...(boot?.files.map(({ sha256 }) => this.bootPath(sha256)) ?? []),
      ]),
    );
    let freed = 0;
    for (const name of await disk.list(this.pool)) {
      const path = join(this.pool, name);
      if (used.has(path)) continue;
      freed += (await disk.bytes(path)) ?? 0;
      await disk.remove(path);
    }
    return freed;
  }

  async #read(number: number): Promise<Generation | undefined> {
    const bytes = await this.#disk.read(join(this.generations, `${number}`, DESCRIPTION));
    if (bytes === undefined) return undefined;
    const { document } = readDocument(GenerationShape, bytes.toString('utf8'));
    return document?.number === number ? document : undefined;
  }

  /** The number of the generation that machines begin with. */
  async currentNumber(): Promise<number | undefined> {
    const target = await this.#disk.readlink(join(this.generations, CURRENT));
    return target !== undefined && NUMBER.test(target) ? Number(target) : undefined;
  }

  async #setCurrent(number: number): Promise<void> {
    const temporary = join(this.generations, `${CURRENT}.new`);
    await this.#disk.remove(temporary);
    await this.#disk.symlink(`${number}`, temporary);
    await this.#disk.rename(temporary, join(this.generations, CURRENT));
    await this.#disk.syncDirectory(this.generations);
  }
}

/** Where a package is in the tree that machines fetch; apk asks for it so. */
export function packageTreePath(repository: string, architecture: string, file: string): string {
  return `${repository}/${architecture}/${file}`;
}

function noGeneration(number: number | undefined, all: readonly ListedGeneration[]): MeshError {
  const message =
    number === undefined
      ? 'there is no earlier generation of the mirror'
      : `there is no generation ${number} of the mirror`;
  const numbers = all.map((generation) => generation.number).join(', ');
  return new MeshError('MESH_MIRROR_NONE', message, {
    operation: 'roll back mirror',
    remedy: all.length === 0 ? 'Make a mirror with `mesh system download`.' : `There are: ${numbers}.`,
  });
}
