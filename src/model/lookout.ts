/** Looks at what may have changed, one look at a time: however many changes come during a look, one more look follows. */
import type { Alarm, Clock } from './clock.ts';

interface LookoutInput {
  readonly clock: Clock;
  /** One look. */
  readonly look: () => Promise<unknown>;
  /** Called when a look has failed. The next change causes the next look. */
  readonly onError: (error: unknown) => void;
}

/** Changes come in bursts, so a look begins this long after the first of them. */
const SETTLE_MS = 20;
/** The pause after a look, as a multiple of its duration: looks take a tenth of the time, however often there is a change. */
const PAUSE_FACTOR = 9;
/** A change is seen after such a pause at the latest. */
const PAUSE_MAX_MS = 500;

/** Turns a stream of changes into as few looks as show the last change. */
export class Lookout {
  readonly #input: LookoutInput;
  #alarm: Alarm | undefined;
  #looking = false;
  #again = false;
  #restedMs = 0;
  #closed = false;

  constructor(input: LookoutInput) {
    this.#input = input;
  }

  /** Asks for a look that begins after this call. */
  soon(): void {
    if (this.#closed || this.#alarm !== undefined) return;
    if (this.#looking) {
      this.#again = true;
      return;
    }
    const { clock } = this.#input;
    this.#alarm = clock.after(Math.max(SETTLE_MS, this.#restedMs - clock.nowMs()), () => {
      this.#alarm = undefined;
      void this.#look();
    });
  }

  close(): void {
    this.#closed = true;
    this.#alarm?.cancel();
  }

  async #look(): Promise<void> {
    const { clock, look, onError } = this.#input;
    const startMs = clock.nowMs();
    this.#looking = true;
    this.#again = false;
    await look().catch(onError);
    this.#looking = false;
    const nowMs = clock.nowMs();
    this.#restedMs = nowMs + Math.min(PAUSE_MAX_MS, PAUSE_FACTOR * (nowMs - startMs));
    if (this.#again) this.soon();
  }
}
