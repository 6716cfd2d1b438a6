/** The loop's journal events: lasting failures, and repairs of items that another program had changed. */
import type { MeshError } from '../../model/error.ts';
import type { EventInit } from '../../protocol/journal/event.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { networkOf } from '../items/item.ts';
import { printStep, type Step } from './plan.ts';

/** Up to this number of repairs in one pass, each gets an event of its own; more are reported as a count. */
const LOUD_STEPS = 8;

/** Writes the events of one reconciler. */
export class LoopJournal {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  overflow(): void {
    this.#journal.record({
      level: 'warning',
      kind: 'monitor overflow',
      message: 'kernel events were lost; reading the whole state again',
    });
  }

  routesNotRenewed(error: MeshError): void {
    this.#journal.failure('routes not renewed', error);
  }

  failed(step: Step, error: MeshError): void {
    const { message, ...details } = eventOf(step);
    this.#journal.failure('step failed', error, {
      ...details,
      level: 'error',
      message: `${message}: ${error.message}`,
    });
  }

  repaired(steps: readonly Step[]): void {
    if (steps.length <= LOUD_STEPS) {
      for (const step of steps) this.#journal.record({ ...eventOf(step), level: 'warning', kind: 'repaired' });
      return;
    }
    this.#journal.record({
      level: 'warning',
      kind: 'repaired',
      message: `${steps.length} items that another program had changed`,
    });
  }
}

function eventOf(step: Step): Omit<EventInit, 'kind'> {
  const network = networkOf(step.item);
  const text = printStep(step);
  return { message: text, item: step.key, step: text, ...(network !== undefined && { network }) };
}
