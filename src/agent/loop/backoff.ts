/**
 * Steps that came to nothing, and when to try each again: those that the kernel refused, and those that it took and did
 * not keep, or that somebody else undoes each time. Without this, two programs that disagree would keep a core busy.
 */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { ItemKey } from '../items/item-kind.ts';

interface Failure {
  readonly error: MeshError;
  readonly attempts: number;
  readonly dueMs: number;
  /** The step's text, when it succeeds and does not stay. */
  readonly futile?: string;
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
    return this.#put(key, error, 1);
  }

  /** @returns an error when the same step has been done again and again, so that it is time to wait; with whether it is news */
  succeeded(key: ItemKey, text: string): { error: MeshError; news: boolean } | undefined {
    const quarrel = this.#failures.get(key);
    if (quarrel?.futile === text && !this.#isOver(quarrel)) return this.#quarrel(key, text);
    const nowMs = this.#clock.nowMs();
    const before = this.#successes.get(key);
    const again = before?.text === text && nowMs - before.firstMs < FUTILE.withinMs;
    const success = again ? { ...before, count: before.count + 1 } : { text, firstMs: nowMs, count: 1 };
    // In the order of their first times, so that the old ones are found at the front.
    if (!again) this.#successes.delete(key);
    this.#successes.set(key, success);
    if (success.count >= FUTILE.count) return this.#quarrel(key, text);
    if (!again) this.#failures.delete(key);
    return undefined;
  }

  /** That it was done so often already makes it a lasting failure at once. */
  #quarrel(key: ItemKey, text: string): { error: MeshError; news: boolean } {
    this.#successes.delete(key);
    const error = new MeshError('MESH_KERNEL_NOT_KEPT', `${text}: it does not stay`, {
      object: key,
      remedy:
        'Another program undoes it, or this kernel does not keep it; `ip monitor` and `bridge monitor` show which.',
      retryable: true,
    });
    return { error, news: this.#put(key, error, Backoff.LASTING_ATTEMPTS, text) };
  }

  #put(key: ItemKey, error: MeshError, leastAttempts: number, futile?: string): boolean {
    const before = this.#failures.get(key);
    const attempts = Math.max((before?.attempts ?? 0) + 1, leastAttempts);
    const waitMs = Math.min(Backoff.FIRST_MS * 2 ** (attempts - 1), Backoff.LONGEST_MS);
    const dueMs = this.#clock.nowMs() + waitMs;
    this.#failures.set(key, { error, attempts, dueMs, ...(futile !== undefined && { futile }) });
    if (attempts < Backoff.LASTING_ATTEMPTS) return false;
    return (before?.attempts ?? 0) < Backoff.LASTING_ATTEMPTS || before?.error.message !== error.message;
  }

  /** Nobody has undone the step for a while after it could have been done again. */
  #isOver({ futile, dueMs }: Failure): boolean {
    return futile !== undefined && this.#clock.nowMs() > dueMs + FUTILE.withinMs;
  }

  isDue(key: ItemKey): boolean {
    const failure = this.#failures.get(key);
    return failure === undefined || failure.dueMs <= this.#clock.nowMs();
  }

  /** Why the item is not there; undefined also while that may be passing. */
  errorOf(key: ItemKey): MeshError | undefined {
    const failure = this.#failures.get(key);
    if (failure === undefined || this.#isOver(failure)) return undefined;
    return failure.attempts >= Backoff.LASTING_ATTEMPTS ? failure.error : undefined;
  }

  /** What fails again and again. */
  lasting(): { item: ItemKey; error: MeshError }[] {
    return [...this.#failures.keys()].flatMap((item) => {
      const error = this.errorOf(item);
      return error === undefined ? [] : [{ item, error }];
    });
  }

  /** Forgets what nobody wants any more, refusals of what is in place now, and successes that nobody has undone in time. */
  keepOnly(isWanted: (key: ItemKey) => boolean, unfinished: ReadonlySet<ItemKey>): void {
    for (const [key, failure] of this.#failures) {
      const open = unfinished.has(key) || (isWanted(key) && failure.futile !== undefined && !this.#isOver(failure));
      if (!open) this.#failures.delete(key);
    }
    const nowMs = this.#clock.nowMs();
    for (const [key, { firstMs }] of this.#successes) {
      if (nowMs - firstMs < FUTILE.withinMs) break;
      this.#successes.delete(key);
    }
  }

  /** It is gone, as it should be: there is nothing to remember. */
  forget(key: ItemKey): void {
    this.#failures.delete(key);
    this.#successes.delete(key);
  }

  /** When to look again: something may be done, or a quarrel that nobody took up may be over. */
  get nextDueMs(): number | undefined {
    const nowMs = this.#clock.nowMs();
    const dues = [...this.#failures.values()].map(({ futile, dueMs }) =>
      futile !== undefined && dueMs <= nowMs ? dueMs + FUTILE.withinMs + 1 : dueMs,
    );
    return dues.length === 0 ? undefined : Math.min(...dues);
  }
}
