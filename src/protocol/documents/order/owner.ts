/** Owners: the customers of a cluster. An owner has orders, and the orders have made networks, addresses and workloads. */
import type { ErrorDocument } from '../../../model/error.ts';

/** `new`: the hooks of `owner-created` have not run to their end. `deleting`: everything that was ordered is being given back. */
export const OWNER_STATES = ['new', 'ready', 'deleting'] as const;

/** What a hook left behind that failed. The order or the owner goes on without it. */
export interface HookFault {
  readonly hook: string;
  readonly error: ErrorDocument;
}

/** An owner, as host0 keeps it and shows it. */
export interface Owner {
  /** The version of this document. */
  readonly format: 1;
  /** One word, unique in the cluster. */
  readonly name: string;
  readonly description?: string;
  readonly state: (typeof OWNER_STATES)[number];
  /** When the owner was made: ISO 8601, UTC. */
  readonly since: string;
  /** What the hooks of `owner-created` have answered, by the hook. */
  readonly hooks: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The hooks of `owner-created` that failed when they ran last. */
  readonly faults: readonly HookFault[];
}

/** What is asked for when an owner is made. */
export interface OwnerRequest {
  readonly name: string;
  readonly description?: string;
}
