/** The report on one pass of the loop. */
import type { StepOutcome } from './apply.ts';

/** The result of one pass; the reconciler emits it at the pass's end. */
export interface PassReport {
  /** From the start of the pass to the end of its last step. */
  readonly durationMs: number;
  readonly outcomes: readonly StepOutcome[];
  /** The outcomes for items that had been right and were desired unchanged: another program had changed them. */
  readonly drifted: readonly StepOutcome[];
}
