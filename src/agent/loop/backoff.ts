/**
 * Delays between attempts at the same step. A step is delayed when the kernel refuses it, or when it is futile: the
 * kernel accepts it and does not keep it, or another program undoes it each time. Without the delay, two programs that
 * disagree would keep a core busy.
 */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { ItemKey } from '../items/item-kind.ts';

interface Failure {
  readonly error: MeshError;
  readonly attempts: number;
  readonly dueMs: number;
  /** The text of a futile step; absent when the kernel refused the step. */
  readonly futile?: string;
}

interface Success {
  readonly text: string;
  readonly firstMs: number;
  readonly count: number;
}

/** The same step that often within that time is futile, and no repair. */
const FUTILE = { count: 6, withinMs: 3_000 } as const;

/**
 * Failures and recent successes by item. The reconciler asks it which steps are due, and which failures are lasting.
 */
export class Backoff {
  /** Delay after the first failure. A link that another program is deleting refuses operations for some 60 ms. */
  static readonly FIRST_MS = 50;
  /** Attempts after which a failure is lasting, and is reported. Fewer failures in a row are common and pass. */
  static readonly LASTING_ATTEMPTS = 4;
  /**
   * Longest delay: too rare to cost CPU, and short enough that an administrator who has removed the cause sees the
   * effect.
   */
  static readonly LONGEST_MS = 15_000;
  /**
   * The same for what a route of another program is in the way of. The kernel tells when routes go (`hurry`), save those that go with an
   * address or a link.
   */
  static readonly TAKEN_MS = 600_000;

  readonly #clock: Clock;
  readonly #failures = new Map<ItemKey, Failure>();
  readonly #successes = new Map<ItemKey, Success>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Notes a refused step.
   * @returns whether to report it: it has become lasting, or its error differs from the reported one
   */
  failed(key: ItemKey, error: MeshError): boolean {
    return this.#put(key, error, 1);
  }

  /**
   * Notes a successful step.
   * @param text the step as printed
   * @param remedy what to do when the step is futile; undefined when nothing is known about the cause
   * @returns MESH_KERNEL_NOT_KEPT when the step is futile, and whether to report it; undefined for an ordinary success
   */
  succeeded(
    key: ItemKey,
    text: string,
    remedy?: () => string | undefined,
  ): { error: MeshError; news: boolean } | undefined {
    const failure = this.#failures.get(key);
    if (failure?.futile === text && !this.#isOver(failure)) return this.#noteFutile(key, text, remedy);
    const nowMs = this.#clock.nowMs();
    const before = this.#successes.get(key);
    const again = before?.text === text && nowMs - before.firstMs < FUTILE.withinMs;
    const success = again ? { ...before, count: before.count + 1 } : { text, firstMs: nowMs, count: 1 };
    // The map stays in the order of `firstMs`, so that the oldest are at the front.
    if (!again) this.#successes.delete(key);
    this.#successes.set(key, success);
    if (success.count >= FUTILE.count) return this.#noteFutile(key, text, remedy);
    if (!again) this.#failures.delete(key);
    return undefined;
  }

  /** A futile step is a lasting failure at once, because it was done often before. */
  #noteFutile(
    key: ItemKey,
    text: string,
    remedy: (() => string | undefined) | undefined,
  ): { error: MeshError; news: boolean } {
    this.#successes.delete(key);
    const error = new MeshError('MESH_KERNEL_NOT_KEPT', `${text}: it does not stay`, {
      object: key,
      remedy:
        remedy?.() ??
        'Another program undoes it, or this kernel does not keep it; `ip monitor` and `bridge monitor` show which.',
      retryable: true,
    });
    return { error, news: this.#put(key, error, Backoff.LASTING_ATTEMPTS, text) };
  }

  #put(key: ItemKey, error: MeshError, leastAttempts: number, futile?: string): boolean {
    const before = this.#failures.get(key);
    const attempts = Math.max((before?.attempts ?? 0) + 1, leastAttempts);
    const isTaken = error.code === 'MESH_KERNEL_ROUTE_TAKEN' && attempts >= Backoff.LASTING_ATTEMPTS;
    const waitMs = isTaken ? Backoff.TAKEN_MS : Math.min(Backoff.FIRST_MS * 2 ** (attempts - 1), Backoff.LONGEST_MS);
    const dueMs = this.#clock.nowMs() + waitMs;
    this.#failures.set(key, { error, attempts, dueMs, ...(futile !== undefined && { futile }) });
    if (attempts < Backoff.LASTING_ATTEMPTS) return false;
    return (before?.attempts ?? 0) < Backoff.LASTING_ATTEMPTS || before?.error.message !== error.message;
  }

  /** Whether a futile step has held: since it became due again, it was not needed for a while. */
  #isOver({ futile, dueMs }: Failure): boolean {
    return futile !== undefined && this.#clock.nowMs() > dueMs + FUTILE.withinMs;
  }

  /**
   * Lets steps be tried again now that a route was in the way of.
   * @param isFreed whether the way may be free
   * @returns whether there are such steps
   */
  hurry(isFreed: (key: ItemKey) => boolean): boolean {
    const dueMs = this.#clock.nowMs();
    let found = false;
    for (const [key, failure] of this.#failures) {
      if (failure.error.code !== 'MESH_KERNEL_ROUTE_TAKEN' || failure.dueMs <= dueMs || !isFreed(key)) continue;
      this.#failures.set(key, { ...failure, dueMs });
      found = true;
    }
    return found;
  }

  isDue(key: ItemKey): boolean {
    const failure = this.#failures.get(key);
    return failure === undefined || failure.dueMs <= this.#clock.nowMs();
  }

  /** The lasting failure of an item; undefined also while a failure may still pass. */
  errorOf(key: ItemKey): MeshError | undefined {
    const failure = this.#failures.get(key);
    if (failure === undefined || this.#isOver(failure)) return undefined;
    return failure.attempts >= Backoff.LASTING_ATTEMPTS ? failure.error : undefined;
  }

  /** All lasting failures. */
  lasting(): { item: ItemKey; error: MeshError }[] {
    return [...this.#failures.keys()].flatMap((item) => {
      const error = this.errorOf(item);
      return error === undefined ? [] : [{ item, error }];
    });
  }

  /**
   * Forgets refusals of items that are now in place, futile steps of undesired items and those that have held, and
   * successes too old to count.
   */
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

  /** Forgets an item that was removed as desired. */
  forget(key: ItemKey): void {
    this.#failures.delete(key);
    this.#successes.delete(key);
  }

  /**
   * When the next pass is needed: a step is due again, or a futile step may have held. Undefined: no pass is needed.
   */
  get nextDueMs(): number | undefined {
    const nowMs = this.#clock.nowMs();
    const dues = [...this.#failures.values()].map(({ futile, dueMs }) =>
      futile !== undefined && dueMs <= nowMs ? dueMs + FUTILE.withinMs + 1 : dueMs,
    );
    return dues.length === 0 ? undefined : Math.min(...dues);
  }
}
