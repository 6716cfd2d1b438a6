/**
 * Takes the volumes of workloads that come from another node. They arrive beside the volumes of this node:
 *
 *     DIRECTORY/<workload>.<word>/<file>.part   a disk or an image that has arrived in part
 *     DIRECTORY/<workload>.<word>/<volume>      a whole disk, over the image of this node's cache
 *     DIRECTORY/<workload>.<word>/whole.json    all have arrived, and their hashes are right
 *
 * They get their places when host0 has given the workload to this node, with the word of the copy: so what an order that was given up
 * has left is never taken for the disk of a guest.
 */
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, syncDirectory, writeDurable } from '../../disk/durable-file.ts';
import { imageKind, isQcow2 } from '../../formats/binary/image-kind.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { PartIdShape, Sha256Shape } from '../../model/workload/volume.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import type { ArrivedFile, CopiedFile, CopyName } from '../../protocol/documents/workload/volume-copy.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { COPIED_FILES_MAX } from '../../protocol/shapes/workload/volume-copy-shape.ts';
import type { ImageCache } from '../images/image-cache.ts';
import { roomAt } from '../images/image-limit.ts';
import { diskRefused } from '../images/part-file.ts';
import { setBase } from '../images/qemu-img.ts';
import type { Volumes } from '../images/volumes.ts';
import { Arrival } from './arrival.ts';
import { movesVariables, putVariables, VARIABLES_FILE } from './firmware-variables.ts';

/** What the node's end of a move needs. */
export interface ArrivalsInput {
  readonly clock: Clock;
  /** On the file system of the volumes and of the cache. */
  readonly directory: string;
  readonly cache: Pick<ImageCache, 'has' | 'adopt' | 'use' | 'endUse' | 'viewOf'> & {
    readonly shelf: Pick<ImageCache['shelf'], 'images' | 'pathOf'>;
  };
  readonly volumes: Pick<Volumes, 'put'>;
  /** Where the firmware of a workload keeps its variables. */
  readonly variablesOf: (workload: string) => string;
  /** The workloads of this node; undefined before an assignment is known. */
  readonly given: () => readonly Pick<AssignedWorkload, 'id' | 'arrived'>[] | undefined;
}

/** QEMU opens its disks as root. */
const DIRECTORY_MODE = 0o700;
const VOLUME_MODE = 0o600;
const WHOLE = 'whole.json';
/** What nobody has gone on with for so long goes. */
const KEPT_MS = 24 * 3_600_000;
/** How often the directory is looked at while something is there. */
const SWEEP_EVERY_MS = 3_600_000;

const WholeShape = form.object({
  /** The image that each disk is over; empty for none. */
  disks: form.recordOf(PartIdShape, form.union([Sha256Shape, form.literal('')]), COPIED_FILES_MAX),
});

/** Takes. */
export class Arrivals {
  readonly #input: ArrivalsInput;
  /** The copies under way, by their directories. */
  readonly #open = new Map<string, Arrival>();
  #sweepAlarm: Alarm | undefined;
  #isClosed = false;

  constructor(input: ArrivalsInput) {
    this.#input = input;
  }

  /** Makes ready for a copy, or goes on with one. @throws MESH_DISK_REFUSED */
  async begin(name: CopyName, files: readonly CopiedFile[]): Promise<readonly ArrivedFile[]> {
    const { cache, directory } = this.#input;
    const place = this.#placeOf(name);
    await this.#dropHalves(name);
    await this.sweep(place);
    this.#sweepLater();
    await makeDirectory(directory, DIRECTORY_MODE);
    await makeDirectory(place, DIRECTORY_MODE);
    let arrival = this.#open.get(place);
    if (arrival === undefined || !arrival.isOf(files)) {
      await arrival?.close();
      arrival = new Arrival(place, files);
      this.#open.set(place, arrival);
    }
    if ((await this.#wholeIn(place)) !== undefined)
      return files.map(({ file, sizeBytes }) => ({ file, bytes: sizeBytes }));
    const have: ArrivedFile[] = [];
    for (const wanted of files) {
      const isHere = wanted.file === wanted.version && (await cache.has(wanted.file));
      have.push(isHere ? { file: wanted.file, bytes: wanted.sizeBytes } : await arrival.open(wanted));
    }
    const bytesOf = ({ file }: CopiedFile) => have.find((one) => one.file === file)?.bytes ?? 0;
    const needed = files.reduce((sum, file) => sum + file.sizeBytes - bytesOf(file), 0);
    const { freeBytes } = await roomAt(directory);
    if (needed <= freeBytes) return have;
    await this.drop(name);
    throw diskRefused(directory, new Error(`${needed} bytes are to come, and ${freeBytes} are free`));
  }

  /** Adds a piece. A piece that does not go on where the file ends changes nothing: the answer says where that is. */
  async put(
    name: CopyName & { readonly file: string; readonly firstByte: number },
    base64: string,
  ): Promise<ArrivedFile> {
    return await this.#arrivalOf(name).add(name.file, name.firstByte, Buffer.from(base64, 'base64'));
  }

  /** Judges what has arrived. @throws MESH_DISK_IMAGE_HASH, MESH_VOLUME_REFUSED and errors of images; then nothing is left of a wrong file */
  async end(name: CopyName, sums: Readonly<Record<string, string>>): Promise<void> {
    const { cache } = this.#input;
    const place = this.#placeOf(name);
    if ((await this.#wholeIn(place)) !== undefined) return;
    const arrival = this.#arrivalOf(name);
    const images = arrival.files.filter(({ file, version }) => file === version);
    for (const { file, sizeBytes } of images) {
      if (await cache.has(file)) continue;
      const { path, head } = await arrival.finish(file, file);
      await cache.adopt(path, file, head, sizeBytes);
    }
    const disks: Record<string, string> = {};
    for (const { file, version, over } of arrival.files) {
      if (file === version) continue;
      const { path, head, sizeBytes } = await arrival.finish(file, sums[file] ?? '', VOLUME_MODE);
      const whole = join(place, file);
      if (over !== undefined) await this.#setBase(path, head, sizeBytes, over);
      await rename(path, whole);
      if (over !== undefined) await cache.use(over, whole);
      disks[file] = over ?? '';
    }
    await syncDirectory(place);
    await writeDurable(join(place, WHOLE), `${JSON.stringify({ disks })}\n`, VOLUME_MODE);
    this.#open.delete(place);
  }

  /** Gives the volumes that have come with a workload their places. Nothing happens where none have, or all are there. @throws MESH_DISK_REFUSED */
  async settle({ id, workload, arrived }: AssignedWorkload): Promise<void> {
    if (arrived === undefined) return;
    const place = this.#placeOf({ workload: id, word: arrived });
    const whole = await this.#wholeIn(place);
    if (whole === undefined) return;
    for (const volume of workload.volumes) {
      const base = whole.disks[volume.id];
      const file = join(place, volume.id);
      // Another run may have been killed here.
      if (base === undefined || !(await isThere(file))) continue;
      await this.#input.volumes.put(volume, file, base === '' ? undefined : base);
      await this.#input.cache.endUse(file);
    }
    if (movesVariables(workload) && whole.disks[VARIABLES_FILE] !== undefined)
      await putVariables(join(place, VARIABLES_FILE), this.#input.variablesOf(id));
    // With what an earlier order has left.
    await this.#dropAll(id);
  }

  /** Removes what has arrived by one copy. Nothing happens where nothing has. */
  async drop(name: CopyName): Promise<void> {
    await this.#remove(this.#placeOf(name));
  }

  /** Removes what nobody has gone on with for a day, and whole copies of so long ago that no workload of this node names. @param except a copy that goes on */
  async sweep(except?: string): Promise<void> {
    const nowMs = this.#input.clock.wallTime().getTime();
    for (const { place } of await this.#places()) {
      const found = await stat(place).catch(() => undefined);
      if (found === undefined || place === except || this.#open.has(place) || nowMs - found.mtimeMs <= KEPT_MS)
        continue;
      // What is whole may belong to a workload that has not been started here yet.
      if (!this.#mayBeNamed(place) || (await this.#wholeIn(place)) === undefined) await this.#remove(place);
    }
    if ((await this.#places()).length > 0) this.#sweepLater();
  }

  async #dropAll(workload: string): Promise<void> {
    for (const { place, of } of await this.#places()) if (of === workload) await this.#remove(place);
  }

  /** Leaves what has arrived where it is: the next agent goes on with it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#sweepAlarm?.cancel();
    for (const arrival of this.#open.values()) await arrival.close();
    this.#open.clear();
  }

  async #remove(place: string): Promise<void> {
    const { cache } = this.#input;
    await this.#open.get(place)?.close();
    this.#open.delete(place);
    for (const name of await readdir(place).catch(() => [])) {
      const file = join(place, name);
      await rm(file, { force: true });
      // The cache forgets a volume of which the directory is there, and the file is not.
      await cache.endUse(file);
    }
    await rm(place, { recursive: true, force: true });
  }

  /** Removes what earlier orders have left half of this workload. */
  async #dropHalves(name: CopyName): Promise<void> {
    for (const { place, of } of await this.#places()) {
      if (of !== name.workload || place === this.#placeOf(name)) continue;
      if ((await this.#wholeIn(place)) === undefined) await this.#remove(place);
    }
  }

  #sweepLater(): void {
    if (this.#isClosed) return;
    this.#sweepAlarm ??= this.#input.clock.after(SWEEP_EVERY_MS, () => {
      this.#sweepAlarm = undefined;
      // A directory that cannot be read now is looked at again.
      void this.sweep().catch(() => this.#sweepLater());
    });
  }

  #mayBeNamed(place: string): boolean {
    const given = this.#input.given();
    if (given === undefined) return true;
    return given.some(
      ({ id, arrived }) => arrived !== undefined && place === this.#placeOf({ workload: id, word: arrived }),
    );
  }

  async #places(): Promise<readonly { readonly place: string; readonly of: string }[]> {
    const { directory } = this.#input;
    const entries = await readdir(directory).catch(() => []);
    return entries.map((entry) => ({ place: join(directory, entry), of: entry.split('.', 1)[0] ?? '' }));
  }

  /** The file was written by the guest's emulator on another node: its header is judged before a program opens the file. */
  async #setBase(path: string, head: Buffer, sizeBytes: number, sha256: string): Promise<void> {
    const image = this.#input.cache.shelf.images.find((one) => one.sha256 === sha256);
    const own = Buffer.from(head);
    if (image === undefined || !isQcow2(own)) {
      throw new MeshError('MESH_VOLUME_REFUSED', `${path} is over an image that has not arrived`, { object: path });
    }
    own.writeBigUInt64BE(0n, 8);
    imageKind(own, sizeBytes, path);
    await setBase(path, { path: this.#input.cache.shelf.pathOf(sha256), format: image.format });
  }

  #placeOf({ workload, word }: CopyName): string {
    return join(this.#input.directory, `${workload}.${word}`);
  }

  #arrivalOf(name: CopyName): Arrival {
    const arrival = this.#open.get(this.#placeOf(name));
    if (arrival !== undefined) return arrival;
    throw new MeshError('MESH_VOLUME_REFUSED', `no copy of ${name.workload} is under way`, {
      object: name.workload,
      remedy: 'It is begun again automatically.',
      retryable: true,
    });
  }

  async #wholeIn(place: string): Promise<form.TypeOf<typeof WholeShape> | undefined> {
    return readDocument(WholeShape, await readFile(join(place, WHOLE), 'utf8').catch(() => '')).document;
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
