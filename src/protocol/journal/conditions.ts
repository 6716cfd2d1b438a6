/**
 * What is so in a process, as far as its journal does not tell of each change by itself: it is looked at now and then,
 * and what is different becomes an event. What was told last is what a snapshot says: no event falls between the two.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { Finding } from '../documents/finding.ts';
import type { EventInit } from './event.ts';
import { findingEvent } from './finding-event.ts';
import type { Journal } from './journal.ts';

export interface Condition {
  /** Unique among the conditions, and the same for as long as it is one: `member mesh-456 fd42:…`. */
  readonly key: string;
  /** That it came to be so, or is otherwise than it was. */
  readonly is: EventInit;
  readonly isNoMore: EventInit;
}

/** More changes than this at once are told as a new snapshot, and as one line. */
const LOUD_CHANGES = 20;

/** Nobody waits for it: what forwards is not told by events. */
const LOOK_MS = 1_000;

export class Conditions {
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #read: () => readonly Condition[];
  #conditions = new Map<string, Condition>();
  #soon: Alarm | undefined;

  constructor(journal: Journal, clock: Clock, read: () => readonly Condition[]) {
    this.#journal = journal;
    this.#clock = clock;
    this.#read = read;
  }

  /** Looks within a second, however often it is asked to. */
  lookSoon(): void {
    if (this.#soon !== undefined) return;
    this.#soon = this.#clock.after(LOOK_MS, () => {
      this.#soon = undefined;
      this.look();
    });
  }

  /** Looks now, and so often from now on. */
  lookEvery(intervalMs: number): void {
    this.look();
    this.#clock.after(intervalMs, () => this.lookEvery(intervalMs));
  }

  /** What is so now; the journal has it too when this returns. */
  get current(): readonly EventInit[] {
    this.look();
    return Array.from(this.#conditions.values(), ({ is }) => is);
  }

  /** Tells the journal what is different from the last look. */
  look(): void {
    const before = this.#conditions;
    const now = new Map(this.#read().map((condition) => [condition.key, condition]));
    const changes: EventInit[] = [];
    for (const [key, { isNoMore }] of before) if (!now.has(key)) changes.push(isNoMore);
    for (const [key, { is }] of now) {
      const was = before.get(key)?.is;
      if (was !== is && !isDeepStrictEqual(was, is)) changes.push(is);
    }
    this.#conditions = now;
    if (changes.length <= LOUD_CHANGES) {
      for (const change of changes) this.#journal.record(change);
      return;
    }
    this.#journal.record({ kind: 'state changed', message: `${changes.length} things changed at once` });
    this.#journal.renew();
  }
}

/** What is not well, as conditions. */
export function healthConditions(findings: readonly Finding[]): Condition[] {
  return findings.map((finding) => {
    const { code, object } = finding;
    return {
      key: `finding ${code} ${object}`,
      is: findingEvent('finding', finding),
      isNoMore: { kind: 'finding gone', message: `${object} is well again`, object, code },
    };
  });
}
