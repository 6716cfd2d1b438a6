/** Who was refused lately, and why: each cause is told once, however often the refused one asks, and is a health finding while it lasts. */
import type { MeshError } from '../../model/error.ts';
import { MEMBER_SILENCE_MS } from '../../protocol/documents/membership.ts';

/** Senders can make up identities: only so many are remembered. */
const REMEMBERED = 100;

interface Refusal {
  readonly error: MeshError;
  readonly lastMs: number;
}

export class Refusals {
  readonly #refusals = new Map<string, Refusal>();

  /** @returns whether this is news */
  note(who: string, error: MeshError, nowMs: number): boolean {
    const key = `${who} ${error.message}`;
    const known = this.#refusals.get(key);
    this.#refusals.delete(key);
    this.#refusals.set(key, { error, lastMs: nowMs });
    const oldest = this.#refusals.keys().next().value;
    if (this.#refusals.size > REMEMBERED && oldest !== undefined) this.#refusals.delete(oldest);
    return known === undefined || nowMs - known.lastMs >= MEMBER_SILENCE_MS;
  }

  /** Those of the last nine seconds. */
  current(nowMs: number): readonly MeshError[] {
    return [...this.#refusals.values()]
      .filter(({ lastMs }) => nowMs - lastMs < MEMBER_SILENCE_MS)
      .map(({ error }) => error);
  }
}
