/** Who has left a mesh, for whoever asks a moment later, and for `mesh node list`. */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import { LEFT_MEMORY_MS } from '../../protocol/documents/membership.ts';
import type { MemberRecord } from './member-record.ts';

interface LeftMember {
  readonly record: MemberRecord;
  readonly leftMs: number;
  readonly heardMs: number;
}

/** How many are remembered. */
const DEPARTED_MAX = 1000;

export class RecentlyLeft {
  readonly #departed = new Map<Ipv6, LeftMember>();

  get all(): Iterable<LeftMember> {
    return this.#departed.values();
  }

  recordOf(ipv6: Ipv6): MemberRecord | undefined {
    return this.#departed.get(ipv6)?.record;
  }

  add(left: LeftMember): void {
    this.#departed.set(left.record.ipv6, left);
    const oldest = this.#departed.keys().next().value;
    if (this.#departed.size > DEPARTED_MAX && oldest !== undefined) this.#departed.delete(oldest);
  }

  /** It is back. */
  remove(ipv6: Ipv6): void {
    this.#departed.delete(ipv6);
  }

  /** Who left so lately that a node which polls may not have heard of it. */
  lately(nowMs: number): Mac[] {
    return [...this.#departed.values()]
      .filter(({ leftMs }) => nowMs - leftMs < LEFT_MEMORY_MS)
      .map(({ record }) => record.mac);
  }
}
