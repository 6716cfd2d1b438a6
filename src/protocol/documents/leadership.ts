/** Which of several host0s leads, as a host0 tells its own machine. */
import type { Segment, UnderlayNic } from './assignment.ts';

/** How a host0 stands to the others. */
export interface LeadershipView {
  /** `waits`: another leads, or none does and this host0 must not. */
  readonly state: 'leads' | 'waits';
  /** The name of the host0 that leads; absent while none does. */
  readonly leader?: string;
  /** Why this host0 does not lead when the other one ends. Absent: it would. */
  readonly why?: string;
  /** Tells the key file from another. Absent where there is one host0 only. */
  readonly key?: string;
  /** The digest of the tree `/host0`. */
  readonly tree?: string;
  /** The newest revision of the store that this host0 has seen. */
  readonly revision?: number;
  /** Of the host0 that leads: the subnets that nodes can be on. */
  readonly segments?: readonly Segment[];
  /** Of the host0 that leads: the NICs that its agent sets up. */
  readonly nics?: readonly UnderlayNic[];
}
