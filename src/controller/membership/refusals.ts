/**
 * Recent refusals of reports. Each cause is recorded in the journal once, however often the sender repeats its report, and
 * is a finding as long as the sender keeps trying.
 */
import type { MeshError } from '../../model/error.ts';
import { MEMBER_SILENCE_MS } from '../../protocol/documents/membership.ts';

/** How many refusals are remembered: senders can make up identities. */
const REMEMBERED = 100;

interface Refusal {
  readonly error: MeshError;
  readonly lastMs: number;
}

/** Remembers refusals for nine seconds. */
export class Refusals {
  readonly #refusals = new Map<string, Refusal>();

  /**
   * Notes a refusal of the sender `who`.
   * @returns whether the same refusal has not been noted in the last nine seconds
   */
  note(who: string, error: MeshError, nowMs: number): boolean {
    const key = `${who} ${error.message}`;
    const known = this.#refusals.get(key);
    this.#refusals.delete(key);
    this.#refusals.set(key, { error, lastMs: nowMs });
    const oldest = this.#refusals.keys().next().value;
    if (this.#refusals.size > REMEMBERED && oldest !== undefined) this.#refusals.delete(oldest);
    return known === undefined || nowMs - known.lastMs >= MEMBER_SILENCE_MS;
  }

  /** The refusals of the last nine seconds. */
  current(nowMs: number): readonly MeshError[] {
    return [...this.#refusals.values()]
      .filter(({ lastMs }) => nowMs - lastMs < MEMBER_SILENCE_MS)
      .map(({ error }) => error);
  }
}
