/**
 * Recent refusals of reports. Each cause is recorded in the journal once, however often the sender repeats its report, and
 * is a finding as long as the sender keeps trying. Causes that a sender makes up do not fill the journal.
 */
import type { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { MEMBER_SILENCE_MS } from '../../protocol/documents/membership.ts';

/** How many refusals are remembered: senders can make up identities. */
const REMEMBERED = 100;
/** How many refusals go into the journal within that time: more than a cluster has causes at a time. */
const RECORDED = 20;

interface Refusal {
  readonly error: MeshError;
  /** The machine that the sender says it is. */
  readonly machine: MachineId | undefined;
  readonly lastMs: number;
}

/** Remembers refusals for nine seconds, or for the time that it is given. */
export class Refusals {
  readonly #memoryMs: number;
  readonly #refusals = new Map<string, Refusal>();
  #recordedMs: readonly number[] = [];

  constructor(memoryMs: number = MEMBER_SILENCE_MS) {
    this.#memoryMs = memoryMs;
  }

  /**
   * Notes a refusal of the sender `who`. Two refusals have one cause if their codes and objects are the same.
   * @param machine the machine that the sender says it is
   * @returns whether the journal should have it: the cause is new within that time, and one of few
   */
  note(who: string, error: MeshError, nowMs: number, machine?: MachineId): boolean {
    const key = `${error.code} ${error.object ?? who}`;
    const known = this.#refusals.get(key);
    this.#refusals.delete(key);
    this.#refusals.set(key, { error, machine, lastMs: nowMs });
    const oldest = this.#refusals.keys().next().value;
    if (this.#refusals.size > REMEMBERED && oldest !== undefined) this.#refusals.delete(oldest);
    if (known !== undefined && nowMs - known.lastMs < this.#memoryMs) return false;
    const recent = this.#recordedMs.filter((ms) => nowMs - ms < this.#memoryMs);
    const isOneOfFew = recent.length < RECORDED;
    this.#recordedMs = isOneOfFew ? [...recent, nowMs] : recent;
    return isOneOfFew;
  }

  /** The refusals that are remembered. */
  current(nowMs: number): readonly MeshError[] {
    return this.#recent(nowMs).map(({ error }) => error);
  }

  /** The last refusal of a machine that is remembered; undefined if there is none. */
  ofMachine(machine: MachineId, nowMs: number): MeshError | undefined {
    return this.#recent(nowMs).findLast((refusal) => refusal.machine === machine)?.error;
  }

  #recent(nowMs: number): readonly Refusal[] {
    return [...this.#refusals.values()].filter(({ lastMs }) => nowMs - lastMs < this.#memoryMs);
  }
}
