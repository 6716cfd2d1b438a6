/**
 * What a process writes into its log: each event of its journal as a line of JSON, and of a storm of the same event no
 * more than a few a minute. Nothing is hidden in silence: the last line of such a minute counts what was left out.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import type { MeshEvent } from './event.ts';

/** Of the same event, so many lines are written in one minute. */
export const LINES_PER_MINUTE = 10;
const MINUTE_MS = 60_000;
/** Different events within a minute; beyond them, each is written. */
const KINDS_MAX = 5_000;

interface Minute {
  written: number;
  suppressed: number;
  /** The last that was not written. */
  last: MeshEvent | undefined;
  readonly alarm: Alarm;
}

export class Log {
  readonly #clock: Clock;
  readonly #write: (line: string) => void;
  readonly #minutes = new Map<string, Minute>();
  #suppressed = 0;

  /** @param write a line with its end */
  constructor(clock: Clock, write: (line: string) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  /** Lines that were left out so far. */
  get suppressed(): number {
    return this.#suppressed;
  }

  take(event: MeshEvent): void {
    const minute = this.#minuteOf(sameness(event));
    if (minute !== undefined && minute.written >= LINES_PER_MINUTE) {
      minute.suppressed++;
      minute.last = event;
      return;
    }
    if (minute !== undefined) minute.written++;
    this.#line(event);
  }

  /** Writes what is still to be counted. */
  close(): void {
    for (const [key, minute] of this.#minutes) {
      minute.alarm.cancel();
      this.#end(key);
    }
  }

  #minuteOf(key: string): Minute | undefined {
    const known = this.#minutes.get(key);
    if (known !== undefined || this.#minutes.size >= KINDS_MAX) return known;
    const alarm = this.#clock.after(MINUTE_MS, () => this.#end(key));
    const minute: Minute = { written: 0, suppressed: 0, last: undefined, alarm };
    this.#minutes.set(key, minute);
    return minute;
  }

  #end(key: string): void {
    const minute = this.#minutes.get(key);
    this.#minutes.delete(key);
    if (minute?.last === undefined) return;
    // The last of them is written now.
    const suppressed = minute.suppressed - 1;
    this.#suppressed += suppressed;
    this.#line({ ...minute.last, suppressed });
  }

  #line(event: MeshEvent): void {
    this.#write(`${JSON.stringify(event)}\n`);
  }
}

/** Two events are the same when they say the same of the same thing; their messages may differ in a number. */
function sameness({ level, kind, code, network, object, item }: MeshEvent): string {
  return [level, kind, code, network, object, item].join('\0');
}
