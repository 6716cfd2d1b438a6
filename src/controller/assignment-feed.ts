/** What host0's own agent is told (protocol/documents/assignment.ts): a snapshot, each member as it comes and goes, and a new snapshot for anything else. */
import type { Member } from '../model/network/member.ts';
import type { Network, NetworkId } from '../model/network/network.ts';
import { Signal } from '../model/signal.ts';
import type { AssignedMember, Assignment, Segment, UnderlayNic } from '../protocol/documents/assignment.ts';
import type { MembershipVersion } from '../protocol/documents/membership.ts';
import type { MembershipChange } from './membership/membership-log.ts';

export type AssignmentEvent =
  | { readonly event: 'snapshot'; readonly data: Assignment }
  | { readonly event: 'member'; readonly data: AssignedMember };

export interface AssignedMesh {
  readonly network: Network;
  others(): readonly Member[];
}

export class AssignmentFeed {
  readonly #events = new Signal<AssignmentEvent>();
  readonly #snapshot: () => Assignment | undefined;

  /** @param snapshot undefined as long as it is not known */
  constructor(snapshot: () => Assignment | undefined) {
    this.#snapshot = snapshot;
  }

  /** How many agents listen; host0 has one. */
  get listeners(): number {
    return this.#events.size;
  }

  /** @returns a function that ends the subscription */
  subscribe(listener: (event: AssignmentEvent) => void): () => void {
    const data = this.#snapshot();
    if (data !== undefined) listener({ event: 'snapshot', data });
    return this.#events.subscribe(listener);
  }

  /** Everything may be different. */
  renew(): void {
    const data = this.#snapshot();
    if (data !== undefined) this.#events.emit({ event: 'snapshot', data });
  }

  changed(network: NetworkId, { type, version, member }: MembershipChange): void {
    this.#events.emit({ event: 'member', data: { version, network, change: type, member } });
  }
}

export function assignmentOf(
  version: MembershipVersion,
  meshes: readonly AssignedMesh[],
  segments: readonly Segment[],
  nics: readonly UnderlayNic[],
): Assignment {
  const members = Object.fromEntries(meshes.map((mesh) => [mesh.network.id, mesh.others()]));
  return { version, networks: meshes.map(({ network }) => network), members, segments, nics };
}
