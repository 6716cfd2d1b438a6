/** A host of a lab: its plan, with its present addresses and its directory. */
import type { HostPlan } from './topology.ts';

export interface LabHost extends HostPlan {
  /** The directory that the host has in place of `/`. */
  readonly root: string;
}
