/** Steps that the kernel refused, and when to try each again. */
import type { Clock } from '../model/clock.ts';
import type { MeshError } from '../model/error.ts';
import type { ItemKey } from './items/item.ts';

interface Failure {
  readonly error: MeshError;
  readonly attempts: number;
  readonly dueMs: number;
}

export class Backoff {
  static readonly FIRST_MS = 500;
  /** Long enough not to matter, short enough that a mended cause is noticed while somebody looks. */
  static readonly LONGEST_MS = 15_000;

  readonly #clock: Clock;
  readonly #failures = new Map<ItemKey, Failure>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns whether this is news: the first failure, or another one than before */
  failed(key: ItemKey, error: MeshError): boolean {
    const before = this.#failures.get(key);
    const attempts = (before?.attempts ?? 0) + 1;
    const waitMs = Math.min(Backoff.FIRST_MS * 2 ** (attempts - 1), Backoff.LONGEST_MS);
    this.#failures.set(key, { error, attempts, dueMs: this.#clock.nowMs() + waitMs });
    return before?.error.message !== error.message;
  }

  succeeded(key: ItemKey): void {
    this.#failures.delete(key);
  }

  isDue(key: ItemKey): boolean {
    const failure = this.#failures.get(key);
    return failure === undefined || failure.dueMs <= this.#clock.nowMs();
  }

  errorOf(key: ItemKey): MeshError | undefined {
    return this.#failures.get(key)?.error;
  }

  /** Forgets what nobody wants any more. */
  keepOnly(keys: ReadonlySet<ItemKey>): void {
    for (const key of this.#failures.keys()) if (!keys.has(key)) this.#failures.delete(key);
  }

  get nextDueMs(): number | undefined {
    const dues = [...this.#failures.values()].map((failure) => failure.dueMs);
    return dues.length === 0 ? undefined : Math.min(...dues);
  }
}
