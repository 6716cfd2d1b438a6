/**
 * Limits how many machines load kernel and initrd at once, first come first served, when a whole rack gets its power back.
 * A machine that must wait is told for how long. Only iPXE's request for its script can be delayed, because no later request
 * of a boot is repeated: apk and busybox wget give up at a 503.
 */

import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';

/** Whether a machine may load now. If not: how many waiting machines came before it, and when it should ask again. */
export type Passage =
  | { readonly pass: true }
  | { readonly pass: false; readonly ahead: number; readonly againSec: number };

/** After this time a machine that never reported that it has loaded no longer counts. */
const HOLD_MS = 60_000;
/** The assumed time of a load until there are measured ones. */
const LOAD_GUESS_MS = 2_000;
/** The weight of the latest load in the running average. */
const LATEST_SHARE = 0.2;
/** The longest wait that is told: a later estimate is better. A thousand machines that ask this often are no load. */
const AGAIN_MAX_SEC = 8;
/** A machine that has not asked for this long was switched off, or has booted from something else. */
const PATIENCE_MS = 3 * AGAIN_MAX_SEC * 1000;

/** The queue of machines that ask for their boot script. */
export class BootLoadLimiter {
  readonly #slots: number;
  readonly #clock: Clock;
  /** Running average of the time of a load. */
  #loadMs = LOAD_GUESS_MS;
  /** Machines that load, with the time at which they were let in. */
  readonly #loading = new Map<Mac, number>();
  /** Machines that wait, with the time at which they last asked; ordered by when they first asked. */
  readonly #waiting = new Map<Mac, number>();

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

  /** Asks for a slot, or for the same slot again if the machine has one. */
  ask(mac: Mac): Passage {
    const now = this.#clock.nowMs();
    drop(this.#loading, (since) => now - since > HOLD_MS);
    drop(this.#waiting, (asked) => now - asked > PATIENCE_MS);
    const ahead = this.#aheadOf(mac);
    if (this.#loading.has(mac) || this.#loading.size + ahead < this.#slots) {
      this.#waiting.delete(mac);
      this.#loading.set(mac, now);
      return { pass: true };
    }
    this.#waiting.set(mac, now);
    const rounds = Math.floor(ahead / this.#slots) + 1;
    return { pass: false, ahead, againSec: Math.min(Math.ceil((rounds * this.#loadMs) / 1000), AGAIN_MAX_SEC) };
  }

  /** The machine has loaded everything: its slot is free, and the time that it took improves the estimate. */
  leave(mac: Mac): void {
    const since = this.#loading.get(mac);
    if (since === undefined) return;
    this.#loading.delete(mac);
    this.#loadMs += LATEST_SHARE * (this.#clock.nowMs() - since - this.#loadMs);
  }

  /** How many waiting machines came before this one. */
  #aheadOf(mac: Mac): number {
    let ahead = 0;
    for (const other of this.#waiting.keys()) {
      if (other === mac) break;
      ahead++;
    }
    return ahead;
  }
}

function drop(times: Map<Mac, number>, isOver: (time: number) => boolean): void {
  for (const [mac, time] of times) if (isOver(time)) times.delete(mac);
}
