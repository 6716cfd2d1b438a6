/** A host of a lab as it is now. */
import type { HostPlan } from './topology.ts';

export interface LabHost extends HostPlan {
  /** What the host has instead of `/`. */
  readonly root: string;
}
