/** Events of a mesh's members in the journal. */

import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { MeshError } from '../../model/error.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { MEMBER_SILENCE_MS } from '../../protocol/documents/membership.ts';
import type { EventInit, EventLevel } from '../../protocol/journal/event.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { MemberRecord } from './member-record.ts';
import type { MembershipChange } from './membership-log.ts';

/** Records the events of one mesh. */
export class MembershipJournal {
  readonly #network: Mesh;
  readonly #journal: Journal;

  constructor(network: Mesh, journal: Journal) {
    this.#network = network;
    this.#journal = journal;
  }

  /**
   * Records a change. Must be called in the same tick as the change itself: a reader then sees the change both in the
   * member list and in the journal, or in neither.
   * @param dropped whether a member that leaves was dropped for its silence
   */
  changed({ type }: MembershipChange, record: MemberRecord, before: MemberRecord | undefined, dropped: boolean): void {
    const { name, ipv4, ipv6 } = record;
    const mesh = this.#network.name;
    switch (type) {
      case 'join':
        this.#record('member joined', name, `${name} joined ${mesh} from ${ipv4}`);
        break;
      case 'change':
        if (before !== undefined && before.ipv4 !== ipv4)
          this.#record('member moved', name, `${name} moved from ${before.ipv4} to ${ipv4}`);
        else this.#record('member renamed', name, `${before?.name ?? ipv6} is called ${name} now`);
        break;
      case 'leave': {
        const why = `${name} was dropped from ${mesh}: silent for ${MEMBER_SILENCE_MS / 1000} s`;
        if (dropped) this.#record('member dropped', name, why, 'warning');
        else this.#record('member left', name, `${name} left ${mesh}`);
      }
    }
  }

  refused(asker: Ipv6, error: MeshError): void {
    this.#journal.failure('member refused', error, { level: 'error', network: this.#network.id, object: asker });
  }

  /** A member is listed by another name than the one that it gave. */
  namedOtherwise({ name }: MemberRecord, asked: string): void {
    this.#record(
      'member named otherwise',
      name,
      `the name ${asked} is taken in ${this.#network.name}: ${name}`,
      'warning',
    );
  }

  notDropped(error: unknown): void {
    this.#journal.failure('member not dropped', error, { network: this.#network.id });
  }

  #record(kind: string, object: string, message: string, level: EventLevel = 'info'): void {
    this.#journal.record({ level, kind, message, network: this.#network.id, object });
  }
}

/** The event for a new network, which also stands for the network in snapshots. */
export function networkAdded({ name, id, type, hostAddress }: Mesh): EventInit {
  return { kind: 'network added', message: `${name}: VNI ${type.vni}, ${hostAddress.prefix}`, network: id };
}
