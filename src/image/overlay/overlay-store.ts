/**
 * The compiled overlays on disk: files named by their SHA-256, and an index that names the file of each machine. The index
 * is replaced in one step after all files are written, so that a power cut leaves the old set or the new one.
 */

import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { ifThere, makeDirectory, syncDirectory, writeNamedByContent } from '../../disk/durable-file.ts';
import { StateFile, type StateForm } from '../../disk/state-file.ts';
import type { Flavor } from '../../formats/host0/flavor.ts';
import type { ErrorDocument, MeshError } from '../../model/error.ts';
import { isMachineId, type MachineId } from '../../model/machine.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';
import { ErrorShape, MachineIdShape, TimeShape } from '../../protocol/shapes/parts.ts';
import type { CompiledMachine } from './compilation.ts';
import { type OverlayEntry, packOverlay, unpackOverlay } from './overlay.ts';

/** One packed overlay. */
interface StoredOverlay {
  /** Of the file's bytes, in hex; the file is named by it. */
  readonly sha256: string;
  readonly bytes: number;
  /** Hash of the entries (content-hash.ts). */
  readonly content: string;
}

/** One machine of the index. */
interface StoredMachine {
  readonly machine: MachineId | 'default';
  /** The name of its folder. */
  readonly name: string;
  readonly packages: readonly string[];
  readonly flavor?: Flavor;
  /** Absent for a machine with SKIP. */
  readonly overlay?: StoredOverlay;
}

type Named = Pick<StoredMachine, 'machine' | 'name'>;

/** `index.json`: the set in force. */
export interface OverlayIndex {
  /** ISO 8601, UTC. */
  readonly compiledAt: string;
  readonly machines: readonly StoredMachine[];
}

/** `refusal.json`: why the newest `/host0` was not put in force. */
export interface Refusal {
  /** ISO 8601, UTC. */
  readonly refusedAt: string;
  /** The number of all faults. */
  readonly faults: number;
  /** The first of them. */
  readonly first: ErrorDocument;
}

const MACHINES_MAX = 100_000;
const Sha256 = form.string({ pattern: /^[0-9a-f]{64}$/ });
const StoredMachineShape: form.Shape<StoredMachine> = form.object({
  machine: form.union([MachineIdShape, form.literal('default')]),
  name: form.string({ max: 255 }),
  packages: form.listOf(form.string({ max: 500 }), 10_000),
  flavor: form.exactOptional(form.union([form.literal('debian'), form.literal('alpine')])),
  overlay: form.exactOptional(form.object({ sha256: Sha256, bytes: form.int(0), content: form.string({ max: 200 }) })),
});
const INDEX_FILE: StateForm<OverlayIndex> = {
  version: 1,
  shape: form.object({ compiledAt: TimeShape, machines: form.listOf(StoredMachineShape, MACHINES_MAX) }),
  holds: 'the overlays in force',
  remedy: 'Run `mesh system configure`, which writes it anew.',
  comesBack: true,
};
const REFUSAL_FILE: StateForm<Refusal> = {
  version: 1,
  shape: form.object({ refusedAt: TimeShape, faults: form.int(), first: ErrorShape }),
  holds: 'the faults of the newest tree',
  remedy: 'Run `mesh system configure`, which shows every fault.',
  comesBack: true,
};

const SUFFIX = '.apkovl.tar.gz';
/** How long files out of force, and unfinished files of a crash, are kept: a machine that was given a file's name fetches it within an hour. */
const KEEP_MS = 60 * 60_000;
/** Files written at once: so many that the disk commits many of them to its journal together. */
const WRITERS = 32;

/**
 * The overlays of host0's state directory. The CLI writes them, the daemon reads them; there is no lock between the two, nor
 * between several CLIs: the last index to be written is in force, and all its files are there.
 */
export class OverlayStore {
  /** `overlays` in the state directory. */
  readonly directory: string;
  readonly #indexFile: StateFile<OverlayIndex>;
  readonly #refusalFile: StateFile<Refusal>;
  #index: { readonly version: string; readonly index: OverlayIndex | undefined } | undefined;

  /** @param stateDirectory host0's state directory (`Paths.state`) */
  constructor(stateDirectory: string) {
    this.directory = join(stateDirectory, 'overlays');
    this.#indexFile = new StateFile(join(this.directory, 'index.json'), INDEX_FILE);
    this.#refusalFile = new StateFile(join(this.directory, 'refusal.json'), REFUSAL_FILE);
  }

  /**
   * The set in force; undefined before the first, and while the file that names it cannot be used (`health`). Kept in memory
   * until the file is replaced.
   */
  async index(): Promise<OverlayIndex | undefined> {
    const found = await stat(this.#indexFile.path, { bigint: true }).catch(() => undefined);
    if (found === undefined && this.#index === undefined) return undefined;
    const version = found === undefined ? '' : `${found.ino} ${found.ctimeNs} ${found.size}`;
    if (this.#index?.version !== version) this.#index = { version, index: await this.#indexFile.read() };
    return this.#index.index;
  }

  /** Findings while the files of this store cannot be used. */
  health(): readonly Finding[] {
    return [...this.#indexFile.health(), ...this.#refusalFile.health()];
  }

  /** The machine's record in the index, or the default one. A machine with SKIP has a record without an overlay. */
  async overlayOf(machine: MachineId): Promise<StoredMachine | undefined> {
    const machines = (await this.index())?.machines ?? [];
    return machines.find((own) => own.machine === machine) ?? machines.find((other) => other.machine === 'default');
  }

  pathOf({ sha256 }: StoredOverlay): string {
    return join(this.directory, `${sha256}${SUFFIX}`);
  }

  /** The files in a stored overlay. Rejects if its file is gone. */
  async entriesOf(overlay: StoredOverlay): Promise<OverlayEntry[]> {
    return unpackOverlay(await readFile(this.pathOf(overlay)));
  }

  /**
   * A file of its own for one boot: with other entries than the stored overlay. The same entries are one file, which is kept as
   * long as a file out of force.
   * @throws MESH_DISK_REFUSED
   */
  async keepForBoot(
    entries: readonly OverlayEntry[],
    now: Date,
  ): Promise<{ readonly sha256: string; readonly path: string }> {
    const bytes = await packOverlay(entries);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const path = join(this.directory, `${sha256}${SUFFIX}`);
    if ((await ifThere(stat(path))) === undefined) await writeNamedByContent(path, bytes, 0o640);
    else await utimes(path, now, now);
    return { sha256, path };
  }

  /**
   * Puts a new set in force; durable when it resolves. Overlays that did not change are not packed again.
   * @param onStored is called with the number of machines whose overlay is on the disk
   * @throws MESH_DISK_REFUSED, and MESH_STATE_LATER for an index of a later version; the previous set stays in force
   */
  async publish(
    machines: readonly CompiledMachine[],
    now: Date,
    onStored: (count: number) => void = () => {},
  ): Promise<OverlayIndex> {
    const onDisk = await this.#namesOnDisk();
    const before = (await this.index())?.machines ?? [];
    const packed = new Map(before.flatMap(({ overlay }) => packedBefore(overlay, onDisk)));
    await makeDirectory(this.directory);
    let count = 0;
    const stored: StoredMachine[] = new Array(machines.length);
    const queue = machines.entries();
    const work = async () => {
      for (const [index, machine] of queue) {
        stored[index] = await this.#storeMachine(machine, packed);
        onStored(++count);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, work));
    await syncDirectory(this.directory);
    const index = { compiledAt: now.toISOString(), machines: stored };
    await this.#indexFile.write(index);
    await rm(this.#refusalFile.path, { recursive: true, force: true });
    await this.#collectGarbage(stored, before, now);
    return index;
  }

  /** Records that a newer tree was refused, and why, for errors and findings about missing overlays. */
  async refuse(first: MeshError, faults: number, now: Date): Promise<void> {
    const refusal: Refusal = { refusedAt: now.toISOString(), faults, first: first.toJSON() };
    await this.#refusalFile.read();
    await this.#refusalFile.write(refusal);
  }

  /** Why the newest tree is not in force; undefined when it is, or when the file cannot be used (`health`). */
  async refusal(): Promise<Refusal | undefined> {
    return await this.#refusalFile.read();
  }

  async #storeMachine(
    { overlay: compiled, ...about }: CompiledMachine,
    packed: Map<string, StoredOverlay>,
  ): Promise<StoredMachine> {
    if (compiled === undefined) return about;
    const { content, entries } = compiled;
    const known = packed.get(content);
    if (known !== undefined) return { ...about, overlay: known };
    const bytes = await packOverlay(entries);
    const overlay = { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length, content };
    packed.set(content, overlay);
    await writeNamedByContent(this.pathOf(overlay), bytes, 0o640);
    return { ...about, overlay };
  }

  /** Removes files that have been out of force for KEEP_MS. A file that goes out of force now gets `now` as its time: a machine may be about to fetch it. */
  async #collectGarbage(inForce: readonly StoredMachine[], before: readonly StoredMachine[], now: Date): Promise<void> {
    const [used, left] = [filesOf(inForce), filesOf(before)];
    for (const name of await this.#namesOnDisk()) {
      if (used.has(name) || !(name.endsWith(SUFFIX) || name.endsWith('.new'))) continue;
      const path = join(this.directory, name);
      if (left.has(name)) {
        await ifThere(utimes(path, now, now));
        continue;
      }
      const found = await ifThere(stat(path));
      if (found !== undefined && now.getTime() - found.mtimeMs > KEEP_MS) await rm(path, { force: true });
    }
  }

  async #namesOnDisk(): Promise<ReadonlySet<string>> {
    return new Set(await readdir(this.directory).catch(() => []));
  }
}

/** Folder names by machine id, without the default folder, of an index or a tree. */
export function machineNames(
  index: { readonly machines: readonly Named[] } | undefined,
): ReadonlyMap<MachineId, string> {
  return new Map(index?.machines.flatMap(({ machine, name }) => (isMachineId(machine) ? [[machine, name]] : [])) ?? []);
}

function filesOf(machines: readonly StoredMachine[]): ReadonlySet<string> {
  return new Set(machines.flatMap(({ overlay }) => (overlay === undefined ? [] : [`${overlay.sha256}${SUFFIX}`])));
}

/** The overlay with its content hash as a key, if its file is still on the disk. */
function packedBefore(overlay: StoredOverlay | undefined, onDisk: ReadonlySet<string>): [string, StoredOverlay][] {
  return overlay !== undefined && onDisk.has(`${overlay.sha256}${SUFFIX}`) ? [[overlay.content, overlay]] : [];
}
