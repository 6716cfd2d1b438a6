/**
 * Lets only so many machines load at once, first come first served, when a whole rack gets its power back. A machine
 * that must wait is told for how long; only iPXE's request for its script is answered so, since nothing that comes
 * later in a boot asks again (network-boot facts: apk and busybox wget give up at a 503).
 */

import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';

export type Passage =
  | { readonly pass: true }
  | { readonly pass: false; readonly ahead: number; readonly againSec: number };

/** A machine that never reports that it has loaded gives up its place after this. */
const HOLD_MS = 60_000;
/** What a load takes at a guess, for the first machines in the line; later, what the loads before took. */
const LOAD_GUESS_MS = 2_000;
/** How much the latest load counts. */
const LATEST_SHARE = 0.2;
/** By then more is known than when it asked: a thousand machines that ask so often are no load. */
const AGAIN_MAX_SEC = 8;
/** A machine that asks no more has been switched off, or booted from something else. */
const PATIENCE_MS = 3 * AGAIN_MAX_SEC * 1000;

export class BootLoadLimiter {
  readonly #places: number;
  readonly #clock: Clock;
  #loadMs = LOAD_GUESS_MS;
  /** When each that was let through came. */
  readonly #inside = new Map<Mac, number>();
  /** When each that waits last asked; in the order in which they first did. */
  readonly #waiting = new Map<Mac, number>();

  constructor(places: number, clock: Clock) {
    this.#places = places;
    this.#clock = clock;
  }

  get loading(): number {
    return this.#inside.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  ask(mac: Mac): Passage {
    const now = this.#clock.nowMs();
    drop(this.#inside, (since) => now - since > HOLD_MS);
    drop(this.#waiting, (asked) => now - asked > PATIENCE_MS);
    const ahead = this.#aheadOf(mac);
    if (this.#inside.has(mac) || this.#inside.size + ahead < this.#places) {
      this.#waiting.delete(mac);
      this.#inside.set(mac, now);
      return { pass: true };
    }
    this.#waiting.set(mac, now);
    const rounds = Math.floor(ahead / this.#places) + 1;
    return { pass: false, ahead, againSec: Math.min(Math.ceil((rounds * this.#loadMs) / 1000), AGAIN_MAX_SEC) };
  }

  /** The machine has loaded all. */
  leave(mac: Mac): void {
    const since = this.#inside.get(mac);
    if (since === undefined) return;
    this.#inside.delete(mac);
    this.#loadMs += LATEST_SHARE * (this.#clock.nowMs() - since - this.#loadMs);
  }

  /** How many wait that came before it. */
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
