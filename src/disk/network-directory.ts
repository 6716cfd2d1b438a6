/**
 * The networks of a machine, as the files in one directory say, on nodes and on host0 alike.
 *
 * While something runs, a set of files is taken whole or not at all: with an error in any of them, what was in force
 * stays in force. The last set that was taken whole is kept on disk and is what a restart begins with. When nothing is in
 * force, every file that is sound and collides with no other is taken: one typo must not cut a node off.
 */

import { isDeepStrictEqual } from 'node:util';
import { readNetworkFiles } from '../formats/conf/network-files.ts';
import { judgeNetworks, type NetworkFile, type NetworkSet } from '../formats/conf/network-set.ts';
import type { Ipv6Cidr } from '../model/address/ipv6.ts';
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { Network, NetworkId } from '../model/network/network.ts';
import { internNetworks } from '../model/network/network-equality.ts';
import { Signal, type Subscribable } from '../model/signal.ts';
import { readAcceptedSet, writeAcceptedSet } from './accepted-set.ts';
import { DirectoryWatch } from './directory-watch.ts';

export interface NetworkDirectoryInit {
  /** Where the `.conf` files are; it may be missing and come later. */
  readonly directory: string;
  /** Where the last accepted set is kept: `networks.accepted.json` in the state directory. */
  readonly stateFile: string;
  readonly clock: Clock;
}

/** What the machine's links and routes hold now, without its default route and without its own meshes. */
type UnderlayReader = () => readonly Ipv6Cidr[];

export interface NetworkOutcome {
  /** The networks in force; one that has not changed since the last outcome is the same object, and so is the list. */
  readonly networks: readonly Network[];
  /** The file that each of them comes from. */
  readonly files: Readonly<Record<NetworkId, string>>;
  /** What is wrong with the files as they are now. While there is any, `networks` may differ from what the files say. */
  readonly errors: readonly MeshError[];
  readonly warnings: readonly MeshError[];
}

const NOTHING: NetworkSet = { accepted: [], errors: [], warnings: [] };

export class NetworkDirectory {
  readonly #init: NetworkDirectoryInit;
  readonly #changes = new Signal<NetworkOutcome>();
  /** Emits the outcome at the start, and whenever it is another one. */
  readonly changes: Subscribable<NetworkOutcome> = this.#changes;
  #underlay: UnderlayReader = () => [];
  readonly #watch: DirectoryWatch;
  #inForce = NOTHING;
  /** What the state file holds. */
  #kept: readonly NetworkFile[] = [];
  /** Why the state file is not what it should be. */
  #stateFault: MeshError | undefined;
  /** What was told last. */
  #outcome: NetworkOutcome | undefined;
  #lastLook: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(init: NetworkDirectoryInit) {
    this.#init = init;
    this.#watch = new DirectoryWatch(init.directory, init.clock, () => void this.reload());
  }

  get current(): NetworkOutcome {
    return this.#outcome ?? outcomeOf(NOTHING, [], undefined);
  }

  /** Takes up what was kept, looks at the files, and goes on looking until it is closed. */
  async start(underlay: UnderlayReader): Promise<NetworkOutcome> {
    this.#underlay = underlay;
    try {
      this.#kept = await readAcceptedSet(this.#init.stateFile);
      this.#inForce = judgeNetworks(this.#kept, underlay());
    } catch (error) {
      this.#stateFault = MeshError.from(error);
    }
    this.#watch.start();
    return this.reload();
  }

  /** Looks at the files now. Looks follow one another, and never overlap. */
  reload(): Promise<NetworkOutcome> {
    const look = this.#lastLook.then(() => this.#look());
    // A look that fails is the business of its caller; the next one starts anew.
    this.#lastLook = look.catch(() => undefined);
    return look;
  }

  /** Resolves when no look is under way any more; `changes` emits nothing after that. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#watch.close();
    await this.#lastLook;
  }

  async #look(): Promise<NetworkOutcome> {
    if (this.#closed) return this.current;
    const { files, errors: unreadable } = await readNetworkFiles(this.#init.directory);
    const judged = judgeNetworks(files, this.#underlay());
    const errors = [...unreadable, ...judged.errors];
    if (errors.length === 0) {
      this.#inForce = judged;
      await this.#keep(files);
    } else if (this.#inForce.accepted.length === 0) {
      this.#inForce = judged;
    }
    this.#tell(outcomeOf(this.#inForce, errors, this.#stateFault));
    return this.current;
  }

  async #keep(files: readonly NetworkFile[]): Promise<void> {
    if (this.#stateFault === undefined && sameFiles(files, this.#kept)) return;
    try {
      await writeAcceptedSet(this.#init.stateFile, files);
      this.#kept = files;
      this.#stateFault = undefined;
    } catch (error) {
      this.#stateFault = MeshError.from(error);
    }
  }

  #tell(found: NetworkOutcome): void {
    const outcome = { ...found, networks: internNetworks(this.current.networks, found.networks) };
    if (this.#closed || isDeepStrictEqual(outcome, this.#outcome)) return;
    this.#outcome = outcome;
    this.#changes.emit(outcome);
  }
}

function outcomeOf(
  { accepted, warnings }: NetworkSet,
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

function sameFiles(a: readonly NetworkFile[], b: readonly NetworkFile[]): boolean {
  const same = (file: NetworkFile, other: NetworkFile | undefined) =>
    file.file === other?.file && Buffer.compare(file.bytes, other.bytes) === 0;
  return a.length === b.length && a.every((file, index) => same(file, b[index]));
}
