/**
 * A service that a node runs for a network, as host0 composes it: with all that the node needs, since a node knows neither the
 * other routers nor what was announced before. A kind is a file beside this one, and a row here.
 */
import type { DnsmasqService } from './assigned-dhcp.ts';
import type { AssignedDns64, AssignedNat64 } from './assigned-nat64.ts';
import type { AssignedRa } from './assigned-ra.ts';
import type { AssignedNat44, AssignedRoute } from './assigned-routing.ts';

/** A service that this version cannot read. It is kept as it came, for a later version on the same node. */
export interface OtherService {
  readonly kind: 'other';
  readonly id: string;
  /** The kind that its document names. */
  readonly of: string;
  readonly document: unknown;
}

/** A service of a kind that this version knows. */
export type KnownService = AssignedRa | DnsmasqService | AssignedNat44 | AssignedRoute | AssignedNat64 | AssignedDns64;

/** One service of one network on one node. */
export type AssignedService = KnownService | OtherService;
