/**
 * Limits how many machines load kernel and initrd at once, first come first served, when a whole rack gets its power back.
 * A machine that must wait is told for how long. Only iPXE's request for its script can be delayed, because no later request
 * of a boot is repeated: apk and busybox wget give up at a 503.
 *
 * Any host on a boot segment can ask for a place. Therefore a question never prolongs a place, a machine that asks again and
 * again goes to the back of the queue, and strangers never delay a machine that the administrator has adopted.
 */

import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';

/** Whether a machine may load now. If not: how many waiting machines came before it, and when it should ask again. */
export type Passage =
  | { readonly pass: true }
  | { readonly pass: false; readonly ahead: number; readonly againSec: number };

/** After this time a machine that never reported that it has loaded no longer counts. */
const HOLD_MS = 60_000;
/** How often a machine may ask while it has a place: its script may not have arrived, once. One that asks more often loops. */
const ASKS_MAX = 2;
/** The assumed time of a load until there are measured ones. */
const LOAD_GUESS_MS = 2_000;
/** The weight of the latest load in the running average. */
const LATEST_SHARE = 0.2;
/** The longest wait that is told: a later estimate is better. A thousand machines that ask this often are no load. */
const AGAIN_MAX_SEC = 8;
/** A machine that has not asked for this long was switched off, or has booted from something else. */
const PATIENCE_MS = 3 * AGAIN_MAX_SEC * 1000;

interface Place {
  /** The time at which the machine was let in. */
  readonly sinceMs: number;
  readonly adopted: boolean;
  /** How often the machine has asked since it has the place, the first time included. */
  readonly asks: number;
}

interface Waiter {
  /** The time at which the machine last asked. */
  readonly askedMs: number;
  readonly adopted: boolean;
}

/** The queue of machines that ask for their boot script. */
export class BootLoadLimiter {
  readonly #slots: number;
  readonly #clock: Clock;
  /** Running average of the time of a load. */
  #loadMs = LOAD_GUESS_MS;
  /** Machines that load, the one that was let in first at the front. */
  readonly #loading = new Map<Mac, Place>();
  /** Machines that wait, ordered by when they first asked. */
  readonly #waiting = new Map<Mac, Waiter>();

  /** @param slots how many machines may load at once */
  constructor(slots: number, clock: Clock) {
    this.#slots = slots;
    this.#clock = clock;
  }

  /** How many machines load. */
  get loading(): number {
    return this.#loading.size;
  }

  /** How many machines wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Asks for a slot, or for the same slot again if the machine has one. @param adopted the administrator knows the machine */
  ask(mac: Mac, adopted: boolean): Passage {
    const now = this.#clock.nowMs();
    drop(this.#loading, ({ sinceMs }) => now - sinceMs > HOLD_MS);
    drop(this.#waiting, ({ askedMs }) => now - askedMs > PATIENCE_MS);
    const place = this.#loading.get(mac);
    if (place !== undefined && (place.asks < ASKS_MAX || this.#waiting.size === 0)) {
      this.#loading.set(mac, { ...place, asks: place.asks + 1 });
      return { pass: true };
    }
    this.#loading.delete(mac);
    const ahead = this.#aheadOf(mac, adopted);
    if (adopted && ahead === 0 && this.#loading.size >= this.#slots) this.#endOldestStranger();
    if (this.#loading.size + ahead < this.#slots) {
      this.#waiting.delete(mac);
      this.#loading.set(mac, { sinceMs: now, adopted, asks: 1 });
      return { pass: true };
    }
    this.#waiting.set(mac, { askedMs: now, adopted });
    const rounds = Math.floor(ahead / this.#slots) + 1;
    return { pass: false, ahead, againSec: Math.min(Math.ceil((rounds * this.#loadMs) / 1000), AGAIN_MAX_SEC) };
  }

  /** The machine has loaded everything: its slot is free, and the time that it took improves the estimate. */
  leave(mac: Mac): void {
    const place = this.#loading.get(mac);
    if (place === undefined) return;
    this.#loading.delete(mac);
    this.#loadMs += LATEST_SHARE * (this.#clock.nowMs() - place.sinceMs - this.#loadMs);
  }

  /** How many waiting machines come before this one: adopted machines before strangers, else in the order in which they came. */
  #aheadOf(mac: Mac, adopted: boolean): number {
    let ahead = 0;
    let isEarlier = true;
    for (const [other, waiter] of this.#waiting) {
      if (other === mac) isEarlier = false;
      else if (waiter.adopted === adopted ? isEarlier : waiter.adopted) ahead++;
    }
    return ahead;
  }

  /** Takes the place of the stranger that has had one for the longest time. What the stranger has begun to load, it gets. */
  #endOldestStranger(): void {
    for (const [mac, { adopted }] of this.#loading) {
      if (adopted) continue;
      this.#loading.delete(mac);
      return;
    }
  }
}

function drop<T>(entries: Map<Mac, T>, isOver: (entry: T) => boolean): void {
  for (const [mac, entry] of entries) if (isOver(entry)) entries.delete(mac);
}
