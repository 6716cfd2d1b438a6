/**
 * The log of a process: each event of its journal as a line of JSON. Lines are limited twice, so that neither an object that
 * fails again and again nor a stranger who makes up names fills a disk:
 *
 * - An event of the same object is written ten times a minute.
 * - All events of one sort have a budget of lines. A stranger can choose no part of the sort's key. When the budget is used
 *   up, no line is written until a minute adds to it.
 *
 * Events that are left out are counted: the last one is written at the end of the minute, with their number.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import { terminalJson } from '../documents/terminal-text.ts';
import type { MeshEvent } from './event.ts';

/** How many lines are written for the same event in one minute, and how many a minute adds to the budget of a sort. */
export const LINES_PER_MINUTE = 10;
/** The budget of a sort that has been quiet: a rack of machines may boot, and a full mesh may join, at the same moment. */
export const SORT_LINES_MAX = 500;
const MINUTE_MS = 60_000;
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

interface Minute extends LeftOut {
  written: number;
  readonly alarm: Alarm;
}

/** Writes the events that it is given, within the limits. */
export class Log {
  readonly #clock: Clock;
  readonly #write: (line: string) => void;
  readonly #sorts = new Map<string, Sort>();
  /** The minutes of single events. Each has taken a line from the budget of its sort, which bounds their number. */
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
    const key = sameness(event);
    const minute = this.#minutes.get(key);
    if (minute !== undefined && minute.written >= LINES_PER_MINUTE) {
      leaveOut(minute, event);
      return;
    }
    const sort = this.#sortOf(event);
    if (sort.budget === 0) {
      leaveOut(sort, event);
      return;
    }
    sort.budget--;
    if (minute !== undefined) minute.written++;
    else {
      const alarm = this.#clock.after(MINUTE_MS, () => this.#endMinute(key));
      this.#minutes.set(key, { written: 1, count: 0, last: undefined, alarm });
    }
    this.#line(event);
  }

  /** Writes the counts of the current minute. */
  close(): void {
    for (const limit of [...this.#minutes.values(), ...this.#sorts.values()]) {
      limit.alarm.cancel();
      this.#countLine(limit);
    }
    this.#minutes.clear();
    this.#sorts.clear();
  }

  #sortOf(event: MeshEvent): Sort {
    const wanted = sortKey(event);
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

  #endMinute(key: string): void {
    const minute = this.#minutes.get(key);
    this.#minutes.delete(key);
    if (minute !== undefined) this.#countLine(minute);
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

/** Events with this key in common count as the same. Their messages may differ, for example in a number. */
function sameness({ level, kind, code, network, object, item }: MeshEvent): string {
  return [level, kind, code, network, object, item].join('\0');
}

/** What the program and the administrator choose. The object and the item may hold a stranger's name or address. */
function sortKey({ level, kind, code, network }: MeshEvent): string {
  return [level, kind, code, network].join('\0');
}
