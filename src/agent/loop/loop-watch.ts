/** What the loop tells whoever measures it. */
import type { Outcome } from './apply.ts';

export interface TurnReport {
  /** From the look at the kernel to the last step's end. */
  readonly durationMs: number;
  readonly outcomes: readonly Outcome[];
  /** Those of them that had been right, and that nobody asked to be otherwise: somebody else changed them. */
  readonly drifted: readonly Outcome[];
}

export interface LoopWatch {
  turn(report: TurnReport): void;
  /** @param difference items in which the cache disagreed with a fresh dump */
  audit(difference: number): void;
  /** Kernel events were lost. */
  overflow(): void;
}
