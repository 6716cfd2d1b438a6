/**
 * Conditions: the lasting states of a process that no code path reports when they change, such as findings.
 *
 * `Conditions` reads the present conditions from time to time, and records each difference in the journal as an event.
 * A snapshot gives the conditions that were recorded last, so that no change is lost between the snapshot and the events.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { Finding } from '../documents/finding.ts';
import type { EventInit } from './event.ts';
import { findingEvent } from './finding-event.ts';
import type { Journal } from './journal.ts';

/** One lasting state, such as a finding. */
export interface Condition {
  /** Unique among the conditions, and the same as long as the condition lasts: `member mesh-456 fd42:…`. */
  readonly key: string;
  /** The event when the condition begins or changes, and in snapshots. */
  readonly is: EventInit;
  /** The event when the condition ends. */
  readonly isNoMore: EventInit;
}

/** More changes than this at once become one event and a new snapshot. */
const LOUD_CHANGES = 20;

/** A second is soon enough: these events are for people, and no forwarding depends on them. */
const LOOK_MS = 1_000;

/** The conditions of a process, and the differences that it has recorded. */
export class Conditions {
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #read: () => readonly Condition[];
  #conditions = new Map<string, Condition>();
  #soon: Alarm | undefined;

  /** @param read the conditions of the process at this moment */
  constructor(journal: Journal, clock: Clock, read: () => readonly Condition[]) {
    this.#journal = journal;
    this.#clock = clock;
    this.#read = read;
  }

  /** Looks within a second. Several calls within this second cause one look. */
  lookSoon(): void {
    if (this.#soon !== undefined) return;
    this.#soon = this.#clock.after(LOOK_MS, () => {
      this.#soon = undefined;
      this.#tryLook();
    });
  }

  /** Looks now, and again after every interval. */
  lookEvery(intervalMs: number): void {
    this.#tryLook();
    this.#clock.after(intervalMs, () => this.lookEvery(intervalMs));
  }

  /** The present conditions. Their changes are in the journal when this returns. */
  get current(): readonly EventInit[] {
    this.look();
    return Array.from(this.#conditions.values(), ({ is }) => is);
  }

  /** Looks. A fault is told, and the next look comes all the same. */
  #tryLook(): void {
    try {
      this.look();
    } catch (thrown) {
      this.#journal.faults.tell('look at the conditions', thrown);
    }
  }

  /** Records what is different from the last look. */
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

/** Findings as conditions: `finding` events, and `finding gone` when one ends. */
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
