/** What one pass of the loop did. */
import type { StepOutcome } from './apply.ts';

/** Emitted once a pass, after its last step. */
export interface PassReport {
  /** From the look at the kernel to the last step's end. */
  readonly durationMs: number;
  readonly outcomes: readonly StepOutcome[];
  /** Those of them that had been right, and that nobody asked to be otherwise: somebody else changed them. */
  readonly drifted: readonly StepOutcome[];
}
