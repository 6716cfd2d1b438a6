/** Follows what `mesh system configure` has put in force or refused: the names of machines, and why the newest tree was not taken. */
import { DirectoryWatch } from '../../disk/directory-watch.ts';
import type { Clock } from '../../model/clock.ts';
import type { MachineId } from '../../model/machine.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Finding, findingOf } from '../../protocol/documents/finding.ts';
import { machineNames, type OverlayStore, type Refusal } from './overlay-store.ts';

/** Where overlays are, and which tree they are made of. */
export interface OverlayWatchInput {
  readonly overlayStore: OverlayStore;
  /** The directory that is compiled, `/host0`: the object of a finding. */
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
    // What cannot be read now is read at the next look.
    const look = () => void this.#look().catch(() => undefined);
    this.#directory = new DirectoryWatch(input.overlayStore.directory, input.clock, look);
  }

  /** Looks once, and goes on looking until it is closed. @throws SyntaxError for an index that is damaged */
  static async open(input: OverlayWatchInput): Promise<OverlayWatch> {
    const watch = new OverlayWatch(input);
    watch.#directory.start();
    await watch.#look();
    return watch;
  }

  /** The names of the machines that have a folder in `/host0/machines`, as far as that is in force. */
  get names(): ReadonlyMap<MachineId, string> {
    return this.#names;
  }

  health(): readonly Finding[] {
    return this.#refusal === undefined ? [] : [refusalFinding(this.#input.tree, this.#refusal)];
  }

  close(): void {
    this.#directory.close();
  }

  async #look(): Promise<void> {
    const { overlayStore } = this.#input;
    this.#names = machineNames(await overlayStore.index());
    this.#looks.emit(this.#names);
    this.#refusal = await overlayStore.refusal();
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
