/**
 * The log of a process: each event of its journal as a line of JSON. Lines are limited twice, so that neither an object that
 * fails again and again nor a stranger who makes up names fills a disk:
 *
 * - An event of the same object is written ten times. If it goes on, as when a member joins and leaves again and again, it is
 *   counted: after a minute, after two more, and at last every ten minutes.
 * - All events of one sort have a budget of lines. A stranger can choose no part of the sort's key. When the budget is used
 *   up, no line is written until a minute adds to it.
 *
 * Events that are left out are counted: the last one is written at the end of the time, with their number.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import { terminalJson } from '../documents/terminal-text.ts';
import type { MeshEvent } from './event.ts';

/** How many lines are written for the same event before it is counted. */
export const LINES_MAX = 10;
/** How many lines a minute adds to the budget of a sort. */
export const LINES_PER_MINUTE = 10;
/** The budget of a sort that has been quiet: a rack of machines may boot, and a full mesh may join, at the same moment. */
export const SORT_LINES_MAX = 500;
const MINUTE_MS = 60_000;
/** What an event that never ends writes, is then six lines an hour. A longer time would keep its last state from the reader. */
const WINDOW_MAX_MS = 10 * MINUTE_MS;
/**
 * A bound on memory. Sorts are few: some sixty kinds, each with at most a few codes, for each network. Further sorts share
 * one budget.
 */
const SORTS_MAX = 5_000;

/** Events that were not written. */
interface LeftOut {
  count: number;
  last: MeshEvent | undefined;
}

interface Sort extends LeftOut {
  /** Lines that may still be written. */
  budget: number;
  alarm: Alarm;
}

/** An event that was written lately. */
interface Repeated extends LeftOut {
  readonly sort: string;
  /** Lines that may still be written at once. */
  budget: number;
  /** For how long the event has not come, in whole windows. */
  quietMs: number;
  windowMs: number;
  alarm: Alarm;
}

/** Writes the events that it is given, within the limits. */
export class Log {
  readonly #clock: Clock;
  readonly #write: (line: string) => void;
  readonly #sorts = new Map<string, Sort>();
  /** Single events, until they have not come for a while. Each takes lines from the budget of its sort, which bounds their number. */
  readonly #repeated = new Map<string, Repeated>();
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
    const key = sameness(event);
    const repeated = this.#repeated.get(key);
    if (repeated !== undefined) repeated.quietMs = 0;
    if (repeated?.budget === 0) {
      leaveOut(repeated, event);
      return;
    }
    const sort = this.#sortOf(sortKey(event));
    if (sort.budget === 0) {
      leaveOut(sort, event);
      return;
    }
    sort.budget--;
    if (repeated !== undefined) repeated.budget--;
    else this.#repeated.set(key, this.#firstOf(key, event));
    this.#line(event);
  }

  /** Writes the counts so far. */
  close(): void {
    for (const limit of [...this.#repeated.values(), ...this.#sorts.values()]) {
      limit.alarm.cancel();
      this.#countLine(limit);
    }
    this.#repeated.clear();
    this.#sorts.clear();
  }

  #firstOf(key: string, event: MeshEvent): Repeated {
    const alarm = this.#clock.after(MINUTE_MS, () => this.#endWindow(key));
    const counts = { count: 0, last: undefined };
    return { ...counts, sort: sortKey(event), budget: LINES_MAX - 1, quietMs: 0, windowMs: MINUTE_MS, alarm };
  }

  #sortOf(wanted: string): Sort {
    const key = this.#sorts.has(wanted) || this.#sorts.size < SORTS_MAX ? wanted : '';
    const known = this.#sorts.get(key);
    if (known !== undefined) return known;
    const alarm = this.#clock.after(MINUTE_MS, () => this.#refill(key));
    const sort: Sort = { budget: SORT_LINES_MAX, count: 0, last: undefined, alarm };
    this.#sorts.set(key, sort);
    return sort;
  }

  #refill(key: string): void {
    const sort = this.#sorts.get(key);
    if (sort === undefined) return;
    sort.budget += LINES_PER_MINUTE;
    if (sort.last !== undefined) sort.budget--;
    this.#countLine(sort);
    if (sort.budget >= SORT_LINES_MAX) this.#sorts.delete(key);
    else sort.alarm = this.#clock.after(MINUTE_MS, () => this.#refill(key));
  }

  /** Ends the window of an event. The next one is longer. After a quiet time, the event is news again. */
  #endWindow(key: string): void {
    const repeated = this.#repeated.get(key);
    if (repeated === undefined) return;
    if (repeated.quietMs >= WINDOW_MAX_MS) {
      this.#repeated.delete(key);
      return;
    }
    const sort = this.#sortOf(repeated.sort);
    if (repeated.last !== undefined && sort.budget > 0) sort.budget--;
    else moveCount(repeated, sort);
    this.#countLine(repeated);
    repeated.quietMs += repeated.windowMs;
    repeated.windowMs = Math.min(WINDOW_MAX_MS, repeated.windowMs * 2);
    repeated.alarm = this.#clock.after(repeated.windowMs, () => this.#endWindow(key));
  }

  #countLine(left: LeftOut): void {
    if (left.last === undefined) return;
    // The last event is written now.
    const suppressed = left.count - 1;
    this.#suppressed += suppressed;
    this.#line({ ...left.last, suppressed });
    left.count = 0;
    left.last = undefined;
  }

  #line(event: MeshEvent): void {
    this.#write(`${terminalJson(event)}\n`);
  }
}

function leaveOut(limit: LeftOut, event: MeshEvent): void {
  limit.count++;
  limit.last = event;
}

/** Counts what was left out with the events of its sort, which has no line left. */
function moveCount(from: LeftOut, to: LeftOut): void {
  if (from.last === undefined) return;
  to.count += from.count;
  to.last = from.last;
  from.count = 0;
  from.last = undefined;
}

/** Events with this key in common count as the same. Their messages may differ, for example in a number. */
function sameness({ level, kind, code, network, object, item }: MeshEvent): string {
  return [level, kind, code, network, object, item].join('\0');
}

/** What the program and the administrator choose. The object and the item may hold a stranger's name or address. */
function sortKey({ level, kind, code, network }: MeshEvent): string {
  return [level, kind, code, network].join('\0');
}
