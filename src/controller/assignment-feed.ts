/**
 * The stream of assignments for host0's own agent (protocol/documents/assignment.ts): a snapshot, an event for each member
 * that joins, changes or leaves and for a changed underlay, and a new snapshot after any other change.
 */
import type { Member } from '../model/network/member.ts';
import type { Mesh } from '../model/network/mesh.ts';
import type { NetworkId } from '../model/network/number.ts';
import { Signal } from '../model/signal.ts';
import type {
  AssignedMember,
  AssignedUnderlay,
  Assignment,
  Segment,
  UnderlayNic,
} from '../protocol/documents/assignment.ts';
import type { MembershipVersion } from '../protocol/documents/membership.ts';
import type { MembershipChange } from './membership/membership-log.ts';

/** An event of the stream, with its name there. */
export type AssignmentEvent =
  | { readonly event: 'snapshot'; readonly data: Assignment }
  | { readonly event: 'member'; readonly data: AssignedMember }
  /** Only host0's NICs or segments have changed. `whole` is for agents of the version before. */
  | { readonly event: 'underlay'; readonly data: AssignedUnderlay; readonly whole: Assignment };

/** What an assignment needs to know of a mesh; `Membership` is one. */
export interface AssignedMesh {
  readonly network: Mesh;
  /** All members but host0. */
  others(): readonly Member[];
}

/** Sends assignments to its subscribers. */
export class AssignmentFeed {
  readonly #events = new Signal<AssignmentEvent>();
  readonly #snapshot: () => Assignment | undefined;

  /** @param snapshot the present assignment; undefined until host0 has read all members */
  constructor(snapshot: () => Assignment | undefined) {
    this.#snapshot = snapshot;
  }

  /** Number of agents that listen: host0 has one, or none while it does not run. */
  get listeners(): number {
    return this.#events.size;
  }

  /**
   * Calls `listener` with a snapshot, once there is one, and then with each event.
   * @returns a function that ends the subscription
   */
  subscribe(listener: (event: AssignmentEvent) => void): () => void {
    const data = this.#snapshot();
    if (data !== undefined) listener({ event: 'snapshot', data });
    return this.#events.subscribe(listener);
  }

  /** Sends a new snapshot: anything may be different. */
  renew(): void {
    const data = this.#snapshot();
    if (data !== undefined) this.#events.emit({ event: 'snapshot', data });
  }

  /** Sends host0's NICs and segments, when nothing else has changed. */
  renewUnderlay(): void {
    const whole = this.#snapshot();
    if (whole === undefined) return;
    const { segments, nics } = whole;
    this.#events.emit({ event: 'underlay', data: { segments, nics }, whole });
  }

  /** Sends a change of one member. */
  changed(network: NetworkId, { type, version, member }: MembershipChange): void {
    this.#events.emit({ event: 'member', data: { version, network, change: type, member } });
  }
}

/** The assignment of host0's agent; `meshes` must have read their members. */
export function assignmentOf(
  version: MembershipVersion,
  meshes: readonly AssignedMesh[],
  segments: readonly Segment[],
  nics: readonly UnderlayNic[],
): Assignment {
  const members = Object.fromEntries(meshes.map((mesh) => [mesh.network.id, mesh.others()]));
  return { version, networks: meshes.map(({ network }) => network), members, segments, nics };
}
