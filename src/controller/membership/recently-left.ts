/** Members that left a mesh recently: for pollers that have not heard of it yet, and for `mesh node list`. */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import { LEFT_MEMORY_MS } from '../../protocol/documents/membership.ts';
import type { MemberRecord } from './member-record.ts';

interface LeftMember {
  readonly record: MemberRecord;
  readonly leftMs: number;
  readonly heardMs: number;
}

/** For so long, a poller does not take the place of an agent that is away: the machine may be off over night. */
const AGENT_MEMORY_MS = 24 * 3_600_000;
/** How many members are remembered; the one that left first is forgotten first. */
const LEFT_MAX = 1000;

/** Remembers members after they left. */
export class RecentlyLeft {
  readonly #left = new Map<Ipv6, LeftMember>();

  get all(): Iterable<LeftMember> {
    return this.#left.values();
  }

  /** The agents that left less than a day ago. */
  *formerAgents(nowMs: number): Iterable<MemberRecord> {
    for (const { record, leftMs } of this.#left.values()) {
      if (record.instance !== undefined && nowMs - leftMs < AGENT_MEMORY_MS) yield record;
    }
  }

  recordOf(ipv6: Ipv6): MemberRecord | undefined {
    return this.#left.get(ipv6)?.record;
  }

  /** Remembers a member that has just left. */
  add(left: LeftMember): void {
    this.#left.set(left.record.ipv6, left);
    const oldest = this.#left.keys().next().value;
    if (this.#left.size > LEFT_MAX && oldest !== undefined) this.#left.delete(oldest);
  }

  /** Forgets a member that is back. */
  remove(ipv6: Ipv6): void {
    this.#left.delete(ipv6);
  }

  /** Members that left so recently that a poller may not have heard of it. */
  lately(nowMs: number): Mac[] {
    return [...this.#left.values()]
      .filter(({ leftMs }) => nowMs - leftMs < LEFT_MEMORY_MS)
      .map(({ record }) => record.mac);
  }
}
