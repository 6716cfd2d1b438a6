/** What the journal is told of the loop: steps that fail for good, and what somebody else had changed. */
import type { MeshError } from '../../model/error.ts';
import type { EventInit } from '../../protocol/journal/event.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { networkOf } from '../items/item.ts';
import { printStep, type Step } from './plan.ts';

/** Beyond so many steps in one pass the journal gets a count instead of lines. */
const LOUD_STEPS = 8;

export class LoopJournal {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  overflow(): void {
    this.#journal.record({
      level: 'warning',
      kind: 'monitor overflow',
      message: 'kernel events were lost; reading everything anew',
    });
  }

  routesNotRenewed(error: MeshError): void {
    this.#journal.failure('routes not renewed', error);
  }

  failed(step: Step, error: MeshError): void {
    const { message, ...told } = eventOf(step);
    this.#journal.failure('step failed', error, {
      ...told,
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
      message: `${steps.length} items that somebody else had changed`,
    });
  }
}

function eventOf(step: Step): Omit<EventInit, 'kind'> {
  const network = networkOf(step.item);
  const text = printStep(step);
  return { message: text, item: step.key, step: text, ...(network !== undefined && { network }) };
}
