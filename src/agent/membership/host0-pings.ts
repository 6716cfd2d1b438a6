/** Pings to host0 in one mesh, so that a silent host0 is noticed in two seconds and not in nine. */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { Echo } from '../kernel/kernel-port.ts';

/** What the pings need. */
export interface Host0PingsInput {
  readonly clock: Clock;
  readonly echo: Echo;
  readonly host0: Ipv6;
  /** Called when pings in a row got no answer; the pings go on. @param count how many */
  readonly onLost: (count: number) => void;
}

const INTERVAL_MS = 1_000;
/** After this many lost pings in a row, host0 counts as lost. */
const LOST = 2;

/** Pings from `start` to `stop`. */
export class Host0Pings {
  readonly #input: Host0PingsInput;
  #alarm: Alarm | undefined;
  #lost = 0;

  constructor(input: Host0PingsInput) {
    this.#input = input;
  }

  /** Begins to ping, unless it pings already. Lost pings of before do not count. */
  start(): void {
    this.#lost = 0;
    if (this.#alarm === undefined) this.#schedule();
  }

  stop(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
  }

  #schedule(): void {
    const { clock, echo, host0, onLost } = this.#input;
    const alarm = clock.after(INTERVAL_MS, () => {
      void echo(host0, INTERVAL_MS)
        .catch(() => undefined)
        .then((rttMs) => {
          if (this.#alarm !== alarm) return;
          this.#lost = rttMs === undefined ? this.#lost + 1 : 0;
          this.#schedule();
          if (this.#lost < LOST) return;
          this.#lost = 0;
          onLost(LOST);
        });
    });
    this.#alarm = alarm;
  }
}
