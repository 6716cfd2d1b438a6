/**
 * Makes blocks free that have rested, and takes requests back that nobody waits for. An outside allocator is told of a free block
 * only then: other programs that it serves would not let the block rest.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import type { Allocation } from '../../model/ipam/allocation.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { KeyedMutex } from '../membership/keyed-mutex.ts';
import type { AddressPools } from './address-pools.ts';
import type { OutsideRequest } from './ipam-records.ts';
import type { OutsideRequests } from './outside-requests.ts';
import type { PoolGrants } from './pool-grants.ts';

/** What the watch is given. */
export interface RestWatchInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly pools: AddressPools;
  readonly outside: OutsideRequests;
  /** One thing after the other for one allocation. */
  readonly byId: KeyedMutex<string>;
  readonly restsMs: (allocation: Allocation) => number;
}

/** How often an allocator that failed is told again. The wall clock may have been set, too. */
const LOOK_MS = 60_000;
/** An order that goes on after a restart of host0 asks again for its block within this time. */
const ABANDONED_MS = 60_000;

/** Looks when something is due. */
export class RestWatch {
  readonly #input: RestWatchInput;
  /** Requests of earlier lives of host0 are not abandoned before this time. */
  readonly #patientUntilMs: number;
  readonly #earlier: ReadonlySet<string>;
  #alarm: Alarm | undefined;
  /** When the alarm rings. */
  #dueMs = Number.POSITIVE_INFINITY;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(input: RestWatchInput) {
    this.#input = input;
    this.#earlier = new Set(input.outside.pending.map(({ id }) => id));
    this.#patientUntilMs = input.clock.nowMs() + ABANDONED_MS;
    this.wait();
  }

  /** Waits for one more block to have rested. */
  waitFor(restMs: number): void {
    const dueMs = this.#input.clock.nowMs() + Math.min(LOOK_MS, restMs);
    if (dueMs < this.#dueMs) this.#ringIn(Math.min(LOOK_MS, restMs));
  }

  /** Waits for what is due next. */
  wait(): void {
    const { pools, restsMs, outside, clock } = this.#input;
    const rests = pools.allocations.filter(({ state }) => state === 'resting').map(restsMs);
    const patientMs = this.#patientUntilMs - clock.nowMs();
    if (patientMs > 0 && outside.pending.some(({ id }) => this.#earlier.has(id))) rests.push(patientMs);
    const isDue = this.#abandoned.length > 0 || rests.some((ms) => ms === 0);
    const isIdle = !isDue && rests.length === 0;
    this.#alarm?.cancel();
    this.#dueMs = Number.POSITIVE_INFINITY;
    if (!isIdle) this.#ringIn(isDue ? 0 : rests.reduce((least, ms) => Math.min(least, ms), LOOK_MS));
  }

  #ringIn(ms: number): void {
    const { clock } = this.#input;
    this.#alarm?.cancel();
    if (this.#closed) return;
    this.#dueMs = clock.nowMs() + ms;
    this.#alarm = clock.after(ms, () => {
      this.#dueMs = Number.POSITIVE_INFINITY;
      void this.look();
    });
  }

  /** Does what is due. Never rejects. */
  look(): Promise<void> {
    this.#last = this.#last.then(async () => {
      if (this.#closed) return;
      const isWell = await this.#look();
      // What failed is still due: not at once again.
      if (isWell) this.wait();
      else this.#ringIn(LOOK_MS);
    });
    return this.#last;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#alarm?.cancel();
    await this.#last;
  }

  get #abandoned() {
    const { clock, outside } = this.#input;
    const isPatient = clock.nowMs() < this.#patientUntilMs;
    return outside.pending.filter(({ id }) => !outside.isAwaited(id) && !(isPatient && this.#earlier.has(id)));
  }

  /** @returns whether all that was due is done */
  async #look(): Promise<boolean> {
    const { pools, outside, restsMs } = this.#input;
    let isWell = true;
    for (const grants of pools.all) {
      const rested = grants.allocations.filter((one) => one.state === 'resting' && restsMs(one) === 0);
      const isOutside = grants.definition.allocator !== undefined;
      for (const work of isOutside
        ? rested.map((allocation) => () => this.#tell(grants, allocation))
        : [() => pools.free(grants, rested)])
        isWell = (await this.#tried(work, grants)) && isWell;
    }
    for (const request of this.#abandoned) {
      const grants = pools.all.find(({ definition }) => definition.name === request.pool);
      if (grants === undefined) continue;
      const takeBack = () =>
        this.#input.byId.take(request.id, async () => {
          const isOpen = outside.pending.some(({ id }) => id === request.id);
          if (isOpen && !outside.isAwaited(request.id)) await outside.takeBack(request, grants.definition);
        });
      isWell = (await this.#tried(takeBack, grants)) && isWell;
    }
    return isWell;
  }

  /**
   * Tells an outside allocator that a block is free. The allocation becomes a request to take back first: as soon as the allocator
   * knows, the block may come back with another id. A block that was taken back or released anew, while the allocator was told of
   * others, stays.
   */
  async #tell(grants: PoolGrants, allocation: Allocation): Promise<void> {
    const { pools, outside } = this.#input;
    const { id, holder, value, pool } = allocation;
    const request: OutsideRequest = { format: 1, id, pool, holder, value };
    await this.#input.byId.take(id, async () => {
      if (grants.of(value) !== allocation) return;
      await pools.write([pools.give(allocation, grants)], [outside.put(request)]);
      outside.opened(request);
      await outside.takeBack(request, grants.definition);
    });
  }

  async #tried(work: () => Promise<void>, { definition }: PoolGrants): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.#input.journal.failure('addresses not freed', error, { object: definition.name });
      return false;
    }
  }
}
