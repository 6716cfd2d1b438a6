/**
 * Faults: errors that a process did not foresee. A fault in one turn of a loop, or in one request, is told and never ends the
 * process: the process compares everything with the kernel again a moment later, and a stranger who found a way to cause a
 * fault would otherwise stop the node as often as he likes. The last faults are findings for an hour.
 */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { type Finding, findingOf } from '../documents/finding.ts';
import type { EventInit } from './event.ts';

/** How long a fault is a finding: an administrator looks in once an hour, or is called by the metrics. */
const LIFE_MS = 3_600_000;
/** Each place in the source has its own finding; a stranger cannot make up places. */
const PLACES_MAX = 16;
const MESSAGE_MAX_LENGTH = 300;

const REMEDY = 'The process goes on. If this happens again, please report it with `mesh events --json`.';

interface Fault {
  readonly error: MeshError;
  readonly count: number;
  readonly lastMs: number;
}

/** The faults of one process, by the place where they were caught. */
export class Faults {
  readonly #clock: Clock;
  readonly #record: (event: EventInit) => void;
  readonly #faults = new Map<string, Fault>();

  /** @param record writes an event to the journal of the process */
  constructor(clock: Clock, record: (event: EventInit) => void) {
    this.#clock = clock;
    this.#record = record;
  }

  /**
   * Tells a fault. Throws nothing.
   * @param place the part of the process that did not do its work, as people call it: `pass of the loop`
   */
  tell(place: string, thrown: unknown): void {
    const { code, message, object = place, remedy = REMEDY } = MeshError.from(thrown);
    const text = `${place}: ${message.slice(0, MESSAGE_MAX_LENGTH)}${originOf(thrown)}`;
    const error = new MeshError(code, text, { object, remedy });
    const count = (this.#faults.get(place)?.count ?? 0) + 1;
    this.#faults.delete(place);
    this.#faults.set(place, { error, count, lastMs: this.#clock.nowMs() });
    const [oldest] = this.#faults.keys();
    if (this.#faults.size > PLACES_MAX && oldest !== undefined) this.#faults.delete(oldest);
    this.#record({ level: 'error', kind: 'fault', message: text, object, code, remedy });
  }

  /** A finding for each place with a fault within the last hour. */
  get findings(): readonly Finding[] {
    const nowMs = this.#clock.nowMs();
    return [...this.#faults]
      .filter(([, { lastMs }]) => nowMs - lastMs < LIFE_MS)
      .map(([place, { error, count }]) => {
        const finding = findingOf(error, { object: error.object ?? place, severity: 'warning' });
        return count === 1 ? finding : { ...finding, message: `${finding.message}, ${count} times` };
      });
  }
}

/** The first line of the stack, ` (file:line:column)`: with the message alone, nobody finds the place. */
function originOf(thrown: unknown): string {
  const stack = thrown instanceof Error && !(thrown instanceof MeshError) ? (thrown.stack ?? '') : '';
  const [, place] = /\n\s+at .*?([\w.-]+\.m?[jt]s:\d+:\d+)/.exec(stack) ?? [];
  return place === undefined ? '' : ` (${place})`;
}
