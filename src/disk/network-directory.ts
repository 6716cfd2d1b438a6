/**
 * The networks of a machine, read from the files in one directory, on nodes and on host0 alike.
 *
 * While networks are in force, a set of files is taken whole or not at all: with an error in any file, the networks in
 * force stay. The last set that was taken whole is kept on disk, and a restart begins with that set. When no network is
 * in force, every valid file that collides with no other is taken: one typo must not cut a node off. A network in force
 * goes only when its file goes: a new route of the machine, or a file system that is not mounted, takes none away.
 */

import { isDeepStrictEqual } from 'node:util';
import { NetworkFilesReader } from '../formats/conf/network-files.ts';
import { judgeNetworkFiles, type NetworkFile, type NetworkSet, underlayFaults } from '../formats/conf/network-set.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { Mesh } from '../model/network/mesh.ts';
import { internNetworks } from '../model/network/network-equality.ts';
import type { NetworkId } from '../model/network/number.ts';
import type { UnderlayPrefix } from '../model/network/underlay-prefix.ts';
import { Signal, type Subscribable } from '../model/signal.ts';
import { AcceptedSet } from './accepted-set.ts';
import { DirectoryWatch } from './directory-watch.ts';

/** Where a machine has its networks. */
interface NetworkDirectoryInit {
  /** Where the `.conf` files are; the directory may be missing and be made later. */
  readonly directory: string;
  /** Where the last accepted set is kept: `networks.accepted.json` in the state directory. */
  readonly stateFile: string;
  readonly clock: Clock;
}

/** Reads what the machine's links and routes use now, without its own meshes. */
type UnderlayReader = () => readonly UnderlayPrefix[];

/** The networks after the files were read. */
export interface NetworkOutcome {
  /**
   * The networks in force. A network that has not changed since the last outcome is the same object, and so is an
   * unchanged list.
   */
  readonly networks: readonly Mesh[];
  /** The path of the file that each network comes from. */
  readonly files: Readonly<Record<NetworkId, string>>;
  /** The errors in the present files. While there are any, `networks` may differ from the files. */
  readonly errors: readonly MeshError[];
  readonly warnings: readonly MeshError[];
}

const NOTHING: NetworkSet = { accepted: [], errors: [], warnings: [] };

/** Reads, checks and watches the network files of a machine. */
export class NetworkDirectory {
  readonly #init: NetworkDirectoryInit;
  readonly #changes = new Signal<NetworkOutcome>();
  /** Emits the outcome at the start, and each time it changes. */
  readonly changes: Subscribable<NetworkOutcome> = this.#changes;
  #underlay: UnderlayReader = () => [];
  readonly #watch: DirectoryWatch;
  readonly #reader = new NetworkFilesReader();
  /** What the outcome was judged by, if no error was found. */
  #judged: { readonly files: readonly NetworkFile[]; readonly underlay: readonly UnderlayPrefix[] } | undefined;
  #inForce = NOTHING;
  /** The set that the state file holds. */
  #kept: readonly NetworkFile[] = [];
  readonly #state: AcceptedSet;
  /** Why the state file could not be read or written. */
  #stateFault: MeshError | undefined;
  /** The outcome that was emitted last. */
  #outcome: NetworkOutcome | undefined;
  #lastRead: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(init: NetworkDirectoryInit) {
    this.#init = init;
    this.#state = new AcceptedSet(init.stateFile);
    this.#watch = new DirectoryWatch(init.directory, init.clock, () => void this.reload());
  }

  /** The outcome that was emitted last; empty before the first. */
  get current(): NetworkOutcome {
    return this.#outcome ?? outcomeOf(NOTHING, [], undefined);
  }

  /**
   * Reads the kept set, then the files, and watches the directory until `close`.
   * @returns the first outcome
   */
  async start(underlay: UnderlayReader): Promise<NetworkOutcome> {
    this.#underlay = underlay;
    this.#kept = await this.#state.read();
    this.#inForce = judgeNetworkFiles(this.#kept);
    this.#stateFault = this.#state.trouble;
    this.#watch.start();
    return this.reload();
  }

  /** Reads the files now. Reads never overlap. */
  reload(): Promise<NetworkOutcome> {
    const read = this.#lastRead.then(() => this.#read());
    // A failed read is reported to its own caller, and must not fail the next one.
    this.#lastRead = read.catch(() => undefined);
    return read;
  }

  /** Stops watching. Resolves when no read is under way; `changes` emits nothing after that. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#watch.close();
    await this.#lastRead;
  }

  async #read(): Promise<NetworkOutcome> {
    if (this.#closed) return this.current;
    const { directory, clock } = this.#init;
    const { files, errors: unreadable, missing } = await this.#reader.read(directory, clock.wallTime().getTime());
    const inForce = this.#inForce.accepted.map(({ network }) => network);
    const underlay = this.#underlay();
    // Mostly the directory is only looked at because some seconds have passed.
    if (unreadable.length === 0 && !missing && this.#isJudged(files, underlay)) return this.current;
    const judged = judgeNetworkFiles(files, { underlay, inForce });
    const errors = [...unreadable, ...judged.errors];
    if (missing && inForce.length > 0) errors.push(directoryMissing(directory));
    // A state file that was damaged is told in the first outcome, also if it is written anew before that.
    const firstFault = this.#outcome === undefined ? this.#stateFault : undefined;
    if (errors.length === 0) {
      this.#inForce = judged;
      await this.#keep(files);
    } else if (this.#inForce.accepted.length === 0) {
      this.#inForce = judged;
    }
    const { accepted, warnings } = this.#inForce;
    const all = [...underlayFaults(accepted, underlay), ...warnings];
    this.#announce(outcomeOf({ accepted, warnings: all }, errors, this.#stateFault ?? firstFault));
    const isFinal = errors.length === 0 && (this.#stateFault ?? firstFault) === undefined;
    this.#judged = isFinal ? { files, underlay } : undefined;
    return this.current;
  }

  /** Whether the present outcome is that of these files. A file that has not changed is the same object. */
  #isJudged(files: readonly NetworkFile[], underlay: readonly UnderlayPrefix[]): boolean {
    const before = this.#judged;
    if (before === undefined || files.length !== before.files.length) return false;
    return files.every((file, index) => file === before.files[index]) && isDeepStrictEqual(underlay, before.underlay);
  }

  async #keep(files: readonly NetworkFile[]): Promise<void> {
    if (this.#stateFault === undefined && sameFiles(files, this.#kept)) return;
    try {
      await this.#state.write(files);
      this.#kept = files;
      this.#stateFault = undefined;
    } catch (error) {
      this.#stateFault = MeshError.from(error);
    }
  }

  #announce(found: NetworkOutcome): void {
    const outcome = { ...found, networks: internNetworks(this.current.networks, found.networks) };
    if (this.#closed || isDeepStrictEqual(outcome, this.#outcome)) return;
    this.#outcome = outcome;
    this.#changes.emit(outcome);
  }
}

function outcomeOf(
  { accepted, warnings }: Pick<NetworkSet, 'accepted' | 'warnings'>,
  errors: readonly MeshError[],
  stateFault: MeshError | undefined,
): NetworkOutcome {
  return {
    networks: accepted.map(({ network }) => network),
    files: Object.fromEntries(accepted.map(({ network, file }) => [network.id, file])),
    errors,
    warnings: stateFault === undefined ? warnings : [...warnings, stateFault],
  };
}

function directoryMissing(directory: string): MeshError {
  return new MeshError('MESH_CONF_UNREADABLE', `${directory} is missing; the networks that came from there stay`, {
    operation: 'read directory',
    object: directory,
    remedy: `Mount or restore ${directory}, or make the directory without files if all networks shall go`,
  });
}

function sameFiles(a: readonly NetworkFile[], b: readonly NetworkFile[]): boolean {
  const same = (file: NetworkFile, other: NetworkFile | undefined) =>
    file.file === other?.file && Buffer.compare(file.bytes, other.bytes) === 0;
  return a.length === b.length && a.every((file, index) => same(file, b[index]));
}
