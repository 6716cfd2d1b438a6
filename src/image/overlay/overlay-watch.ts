/** Follows what `mesh system configure` puts in force or refuses: the names of machines, and why the newest tree is not in force. */
import { DirectoryWatch } from '../../disk/directory-watch.ts';
import { readHost0Tree } from '../../formats/host0/host0-tree.ts';
import type { Clock } from '../../model/clock.ts';
import type { MachineId } from '../../model/machine.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import { machineNames, type OverlayStore, type Refusal } from './overlay-store.ts';

/** Where the overlays are, and from which tree they are made. */
export interface OverlayWatchInput {
  readonly overlayStore: OverlayStore;
  /** The directory that is compiled, `/host0`; findings name it as their object. */
  readonly tree: string;
  readonly clock: Clock;
}

/** Looks at the overlays whenever their directory changes, and every few seconds. */
export class OverlayWatch {
  readonly #input: OverlayWatchInput;
  readonly #looks = new Signal<ReadonlyMap<MachineId, string>>();
  /** Emits the names of all machines at each look; they may be the same as before. */
  readonly looks: Subscribable<ReadonlyMap<MachineId, string>> = this.#looks;
  readonly #directory: DirectoryWatch;
  #names: ReadonlyMap<MachineId, string> = new Map();
  #refusal: Refusal | undefined;

  private constructor(input: OverlayWatchInput) {
    this.#input = input;
    this.#directory = new DirectoryWatch(input.overlayStore.directory, input.clock, () => void this.#look());
  }

  /** Looks once, then watches until it is closed. Files that cannot be read are a finding. */
  static async open(input: OverlayWatchInput): Promise<OverlayWatch> {
    const watch = new OverlayWatch(input);
    watch.#directory.start();
    await watch.#look();
    return watch;
  }

  /** Names by machine id, of the machines with a folder in `/host0/machines` when the set in force was compiled. */
  get names(): ReadonlyMap<MachineId, string> {
    return this.#names;
  }

  /** Findings while the newest tree is refused, and while the overlays cannot be read. */
  health(): readonly Finding[] {
    const { tree, overlayStore } = this.#input;
    return [...overlayStore.health(), ...(this.#refusal === undefined ? [] : [refusalFinding(tree, this.#refusal)])];
  }

  close(): void {
    this.#directory.close();
  }

  /**
   * Never rejects. While the index cannot be used, the names stay; after a start they are those of the folders in the tree, so
   * that no machine counts as a stranger.
   */
  async #look(): Promise<void> {
    const { overlayStore, tree } = this.#input;
    this.#refusal = await overlayStore.refusal();
    const index = await overlayStore.index();
    const isLost = index === undefined && overlayStore.health().length > 0;
    if (!isLost) this.#names = machineNames(index);
    else if (this.#names.size === 0) this.#names = machineNames(readHost0Tree(tree));
    this.#looks.emit(this.#names);
  }
}

function refusalFinding(tree: string, { faults, first }: Refusal): Finding {
  const { place } = first;
  const finding = findingOf(first, { object: tree });
  const where = place === undefined ? '' : `${place.file}:${place.line}:${place.column}: `;
  const others = faults === 1 ? '' : `, with ${faults - 1} more ${faults === 2 ? 'fault' : 'faults'}`;
  return {
    ...finding,
    message: `${where}${finding.message}; the tree was refused${others}, and machines boot with what they had`,
    remedy: `${finding.remedy.replace(/\.$/, '')}; then run \`mesh system configure\`, which shows every fault.`,
  };
}
