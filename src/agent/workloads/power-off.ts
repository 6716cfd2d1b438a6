/** A guest that is told to switch itself off: how often it is told, and how long it has. */
import type { Clock } from '../../model/clock.ts';
import type { GuestMonitor } from './guest-monitor.ts';

const BUTTON_MS = 3_000;

/** One power-off of a guest, from the wish to its end. */
export class PowerOff {
  readonly #clock: Clock;
  readonly #endsAtMs: number;
  #pressAtMs: number;

  constructor(clock: Clock, graceSec: number) {
    this.#clock = clock;
    this.#pressAtMs = clock.nowMs();
    this.#endsAtMs = this.#pressAtMs + graceSec * 1000;
  }

  /** How long the guest still has; 0 when its time is over. */
  get leftMs(): number {
    return Math.max(0, this.#endsAtMs - this.#clock.nowMs());
  }

  /** Presses the power button, unless that was done just now. @returns when the next look is due, in ms */
  async press(monitor: GuestMonitor): Promise<number> {
    const nowMs = this.#clock.nowMs();
    if (!monitor.isOver && nowMs >= this.#pressAtMs) {
      // Again and again: a guest that still boots does not listen.
      this.#pressAtMs = nowMs + BUTTON_MS;
      await monitor.powerDown();
    }
    return Math.min(BUTTON_MS, this.leftMs);
  }
}
