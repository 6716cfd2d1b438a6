/**
 * Steps that came to nothing, and when to try each again: those that the kernel refused, and those that it took and did
 * not keep, or that somebody else undoes each time. Without this, two programs that disagree would keep a core busy.
 */
import type { Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { ItemKey } from './items/item.ts';

interface Failure {
  readonly error: MeshError;
  readonly attempts: number;
  readonly dueMs: number;
}

interface Success {
  readonly text: string;
  readonly firstMs: number;
  readonly count: number;
}

/** So often the same step within so long is a quarrel, not a repair. */
const FUTILE = { count: 6, withinMs: 3_000 } as const;

export class Backoff {
  /** A link that an outsider is deleting refuses what is asked of it for some 60 ms. */
  static readonly FIRST_MS = 50;
  /** Fewer failures in a row are passing, and nobody's business. */
  static readonly LASTING_ATTEMPTS = 4;
  /** Long enough not to matter, short enough that a mended cause is noticed while somebody looks. */
  static readonly LONGEST_MS = 15_000;

  readonly #clock: Clock;
  readonly #failures = new Map<ItemKey, Failure>();
  readonly #successes = new Map<ItemKey, Success>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns whether this is news: a failure that lasts, and is not the one that was told before */
  failed(key: ItemKey, error: MeshError): boolean {
    const before = this.#failures.get(key);
    const attempts = (before?.attempts ?? 0) + 1;
    const waitMs = Math.min(Backoff.FIRST_MS * 2 ** (attempts - 1), Backoff.LONGEST_MS);
    this.#failures.set(key, { error, attempts, dueMs: this.#clock.nowMs() + waitMs });
    return (
      attempts === Backoff.LASTING_ATTEMPTS ||
      (attempts > Backoff.LASTING_ATTEMPTS && before?.error.message !== error.message)
    );
  }

  /** @returns an error when the same step has been done again and again, so that it is time to wait */
  succeeded(key: ItemKey, text: string): MeshError | undefined {
    const nowMs = this.#clock.nowMs();
    const before = this.#successes.get(key);
    const again = before?.text === text && nowMs - before.firstMs < FUTILE.withinMs;
    const success = again ? { ...before, count: before.count + 1 } : { text, firstMs: nowMs, count: 1 };
    this.#successes.set(key, success);
    if (success.count < FUTILE.count) {
      if (!again) this.#failures.delete(key);
      return undefined;
    }
    this.#successes.delete(key);
    return new MeshError('MESH_KERNEL_NOT_KEPT', `${text}: it does not stay`, {
      object: key,
      remedy:
        'Another program undoes it, or this kernel does not keep it; `ip monitor` and `bridge monitor` show which.',
      retryable: true,
    });
  }

  isDue(key: ItemKey): boolean {
    const failure = this.#failures.get(key);
    return failure === undefined || failure.dueMs <= this.#clock.nowMs();
  }

  /** Why the item is not there; undefined also while that may be passing. */
  errorOf(key: ItemKey): MeshError | undefined {
    const failure = this.#failures.get(key);
    return failure !== undefined && failure.attempts >= Backoff.LASTING_ATTEMPTS ? failure.error : undefined;
  }

  /** Forgets what nobody wants any more. */
  keepOnly(keys: ReadonlySet<ItemKey>): void {
    for (const key of this.#failures.keys()) if (!keys.has(key)) this.#failures.delete(key);
    for (const key of this.#successes.keys()) if (!keys.has(key)) this.#successes.delete(key);
  }

  get nextDueMs(): number | undefined {
    const dues = [...this.#failures.values()].map((failure) => failure.dueMs);
    return dues.length === 0 ? undefined : Math.min(...dues);
  }
}
