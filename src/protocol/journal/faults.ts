/**
 * Faults: errors that a process did not foresee. A fault in one turn of a loop, or in one request, is told and never ends the
 * process: the process compares everything with the kernel again a moment later, and a stranger who found a way to cause a
 * fault would otherwise stop the node as often as he likes. The last faults are findings for an hour.
 */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { type Finding, findingOf, type HealthSource } from '../documents/finding.ts';
import type { EventInit } from './event.ts';
import { RecentFindings } from './recent-findings.ts';

const MESSAGE_MAX_LENGTH = 300;
/** The first frames of a stack are enough to find the place of a fault. */
const STACK_FRAMES = 3;
const REMEDY = 'The process goes on. Please report the message, and what led to it (`mesh events --json`).';

/** The faults of one process, by the part that they were caught in. */
export class Faults implements HealthSource {
  readonly #record: (event: EventInit) => void;
  readonly #recent: RecentFindings;

  /** @param record writes an event to the journal of the process */
  constructor(clock: Clock, record: (event: EventInit) => void) {
    this.#record = record;
    this.#recent = new RecentFindings(clock);
  }

  /** Tells a fault. @param part what did not do its work, in words of people: `pass of the loop` */
  tell(part: string, thrown: unknown): void {
    const { code, message, object = part, remedy = REMEDY } = MeshError.from(thrown);
    const text = `${part}: ${message.slice(0, MESSAGE_MAX_LENGTH)}${originOf(thrown)}`;
    const error = new MeshError(code, text, { object, remedy });
    this.#recent.see(findingOf(error, { object, severity: 'warning' }));
    this.#record({ level: 'error', kind: 'fault', message: text, object, code, remedy });
  }

  /** A finding for each part with a fault within the last hour. */
  health(): readonly Finding[] {
    return this.#recent.health();
  }
}

/** Frames of the stack: with the message alone, nobody finds the place in the source. */
function originOf(thrown: unknown): string {
  const stack = thrown instanceof Error && !(thrown instanceof MeshError) ? (thrown.stack ?? '') : '';
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames
    .slice(0, STACK_FRAMES)
    .map((frame) => ` ${frame.trim()}`)
    .join('');
}
