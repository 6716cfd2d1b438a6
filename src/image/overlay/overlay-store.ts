/**
 * The compiled overlays on disk: files named by their SHA-256, and an index that says whose they are. The index is
 * replaced in one step when all files are there, so that a power cut leaves the old set or the new one.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, syncDirectory, writeDurable, writeNamedByContent } from '../../disk/durable-file.ts';
import type { ErrorDocument, MeshError } from '../../model/error.ts';
import { isMachineId, type MachineId } from '../../model/machine.ts';
import type { CompiledMachine } from './compilation.ts';
import { type OverlayEntry, packOverlay, unpackOverlay } from './overlay.ts';

export interface ShelvedOverlay {
  /** Of the file's bytes. */
  readonly sha256: string;
  readonly bytes: number;
  /** Of what is in it (compilation.ts). */
  readonly content: string;
}

export interface ShelvedMachine {
  readonly machine: MachineId | 'default';
  readonly name: string;
  readonly packages: readonly string[];
  /** Absent for a machine with SKIP. */
  readonly overlay?: ShelvedOverlay;
}

export interface OverlayIndex {
  /** ISO 8601, UTC. */
  readonly compiledAt: string;
  readonly machines: readonly ShelvedMachine[];
}

/** Of a tree that was not taken. */
export interface Refusal {
  /** ISO 8601, UTC. */
  readonly refusedAt: string;
  /** How many there are. */
  readonly faults: number;
  readonly first: ErrorDocument;
}

const SUFFIX = '.apkovl.tar.gz';
/** A machine that was given the name of a file fetches it within this; what a crash left unfinished is of no use to anybody. */
const KEEP_MS = 60 * 60_000;
/** Enough that the disk takes many files in one journal commit. */
const WRITERS = 32;

export class OverlayStore {
  readonly directory: string;
  readonly #indexFile: string;
  readonly #refusalFile: string;
  #index: { readonly version: string; readonly index: OverlayIndex } | undefined;

  /** @param stateDirectory host0's, as in Paths */
  constructor(stateDirectory: string) {
    this.directory = join(stateDirectory, 'overlays');
    this.#indexFile = join(this.directory, 'index.json');
    this.#refusalFile = join(this.directory, 'refusal.json');
  }

  /** The set in force; undefined before the first. Read anew when it was replaced. */
  async index(): Promise<OverlayIndex | undefined> {
    const found = await stat(this.#indexFile, { bigint: true }).catch(() => undefined);
    if (found === undefined) return undefined;
    const version = `${found.ino} ${found.mtimeNs} ${found.size}`;
    if (this.#index?.version !== version) {
      this.#index = { version, index: JSON.parse(await readFile(this.#indexFile, 'utf8')) as OverlayIndex };
    }
    return this.#index.index;
  }

  /** The overlay of a machine: its own, or the default one; a machine with SKIP has none. */
  async overlayOf(machine: MachineId): Promise<ShelvedMachine | undefined> {
    const machines = (await this.index())?.machines ?? [];
    return machines.find((own) => own.machine === machine) ?? machines.find((other) => other.machine === 'default');
  }

  pathOf({ sha256 }: ShelvedOverlay): string {
    return join(this.directory, `${sha256}${SUFFIX}`);
  }

  async entriesOf(overlay: ShelvedOverlay): Promise<OverlayEntry[]> {
    return unpackOverlay(await readFile(this.pathOf(overlay)));
  }

  /**
   * Puts a new set in force; durable when it resolves. What did not change is not packed again.
   * @param onStored is told how many of them are on the disk
   * @throws MESH_DISK_REFUSED: the set before stays in force
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
    const stored: ShelvedMachine[] = new Array(machines.length);
    const queue = machines.entries();
    const work = async () => {
      for (const [index, machine] of queue) {
        stored[index] = await this.#shelve(machine, packed);
        onStored(++count);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, work));
    await syncDirectory(this.directory);
    const index = { compiledAt: now.toISOString(), machines: stored };
    await writeDurable(this.#indexFile, `${JSON.stringify(index, null, 1)}\n`);
    await rm(this.#refusalFile, { force: true });
    await this.#collectGarbage(stored, before, now);
    return index;
  }

  /** Notes that a newer tree was refused, and why: whoever misses something is told that. */
  async refuse(first: MeshError, faults: number, now: Date): Promise<void> {
    const refusal: Refusal = { refusedAt: now.toISOString(), faults, first: first.toJSON() };
    await writeDurable(this.#refusalFile, `${JSON.stringify(refusal)}\n`);
  }

  /** Why the newest tree is not in force; undefined when it is. */
  async refusal(): Promise<Refusal | undefined> {
    const text = await readFile(this.#refusalFile, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as Refusal);
  }

  async #shelve(
    { machine, name, packages, overlay: compiled }: CompiledMachine,
    packed: Map<string, ShelvedOverlay>,
  ): Promise<ShelvedMachine> {
    if (compiled === undefined) return { machine, name, packages };
    const { content, entries } = compiled;
    const known = packed.get(content);
    if (known !== undefined) return { machine, name, packages, overlay: known };
    const bytes = await packOverlay(entries);
    const overlay = { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length, content };
    packed.set(content, overlay);
    await writeNamedByContent(this.pathOf(overlay), bytes, 0o640);
    return { machine, name, packages, overlay };
  }

  /** Whoever was given the name of a file just before it went out of force is about to fetch it. */
  async #collectGarbage(
    inForce: readonly ShelvedMachine[],
    before: readonly ShelvedMachine[],
    now: Date,
  ): Promise<void> {
    const [used, left] = [filesOf(inForce), filesOf(before)];
    for (const name of await this.#namesOnDisk()) {
      if (used.has(name) || !(name.endsWith(SUFFIX) || name.endsWith('.new'))) continue;
      const path = join(this.directory, name);
      if (left.has(name)) await utimes(path, now, now);
      else if (now.getTime() - (await stat(path)).mtimeMs > KEEP_MS) await rm(path, { force: true });
    }
  }

  async #namesOnDisk(): Promise<ReadonlySet<string>> {
    return new Set(await readdir(this.directory).catch(() => []));
  }
}

/** The names of the machines that have a folder, by their ids. */
export function machineNames(index: OverlayIndex | undefined): ReadonlyMap<MachineId, string> {
  return new Map(index?.machines.flatMap(({ machine, name }) => (isMachineId(machine) ? [[machine, name]] : [])) ?? []);
}

function filesOf(machines: readonly ShelvedMachine[]): ReadonlySet<string> {
  return new Set(machines.flatMap(({ overlay }) => (overlay === undefined ? [] : [`${overlay.sha256}${SUFFIX}`])));
}

/** What was packed once and still lies there, by its content. */
function packedBefore(overlay: ShelvedOverlay | undefined, onDisk: ReadonlySet<string>): [string, ShelvedOverlay][] {
  return overlay !== undefined && onDisk.has(`${overlay.sha256}${SUFFIX}`) ? [[overlay.content, overlay]] : [];
}
