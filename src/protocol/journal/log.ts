/**
 * The log of a process: each event of its journal as a line of JSON. When the same event comes again and again, only a few
 * lines a minute are written, and the last line of the minute counts the events that were left out.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import type { MeshEvent } from './event.ts';

/** How many lines are written for the same event in one minute. */
export const LINES_PER_MINUTE = 10;
const MINUTE_MS = 60_000;
/** How many different events are counted in a minute, a bound on memory. Further ones are all written. */
const KINDS_MAX = 5_000;

interface Minute {
  written: number;
  suppressed: number;
  /** The last event that was not written. */
  last: MeshEvent | undefined;
  readonly alarm: Alarm;
}

/** Writes the events that it is given, ten a minute of each sort. */
export class Log {
  readonly #clock: Clock;
  readonly #write: (line: string) => void;
  readonly #minutes = new Map<string, Minute>();
  #suppressed = 0;

  /** @param write is called with each line, including its line break */
  constructor(clock: Clock, write: (line: string) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  /** Number of lines that were left out so far. */
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

  /** Writes the counts of the current minute. */
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
    // The last suppressed event is written now.
    const suppressed = minute.suppressed - 1;
    this.#suppressed += suppressed;
    this.#line({ ...minute.last, suppressed });
  }

  #line(event: MeshEvent): void {
    this.#write(`${JSON.stringify(event)}\n`);
  }
}

/** Events with this key in common count as the same. Their messages may differ, for example in a number. */
function sameness({ level, kind, code, network, object, item }: MeshEvent): string {
  return [level, kind, code, network, object, item].join('\0');
}
