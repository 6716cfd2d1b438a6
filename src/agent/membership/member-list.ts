/**
 * One mesh's members as a node believes them to be. Pure: lists and events go in, and out comes whom to keep entries for.
 *
 * An incomplete list never removes anything. A member goes by a `leave`, or when a list lacks it and the stream that
 * brought the list still stands nine seconds later: by then host0 has heard everybody. A further list starts the nine
 * seconds anew, since it may come from a host0 that was started a moment ago with an empty store, for the second time.
 */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { type Member, sameMember } from '../../model/network/member.ts';
import {
  MEMBER_SILENCE_MS,
  type MembershipEvent,
  type MembershipVersion,
  memberKey,
} from '../../protocol/documents/membership.ts';

export class MemberList {
  readonly #members = new Map<Ipv6, Member>();
  /** Members that the newest list lacks, and since when. */
  readonly #missingSinceMs = new Map<Ipv6, number>();
  #version: MembershipVersion | undefined;
  /** When the list came that is to settle this epoch. */
  #listedMs = 0;
  #settled = false;
  /** Made when it is asked for. */
  #listed: readonly Member[] | undefined;

  get version(): MembershipVersion | undefined {
    return this.#version;
  }

  /** Every member to keep entries for, the missing among them. The same list, of the same objects, while nothing changes. */
  get members(): readonly Member[] {
    this.#listed ??= [...this.#members.values()];
    return this.#listed;
  }

  /**
   * Whether a list of this epoch has stood for nine seconds: only then is an entry that belongs to no member known to be left
   * over, for example from before this agent's start.
   */
  get settled(): boolean {
    return this.#settled;
  }

  /** When to `confirm`, so that the missing are either found or let go; undefined when nothing is open. */
  get confirmAtMs(): number | undefined {
    if (this.#version === undefined) return undefined;
    if (!this.#settled) return this.#listedMs + MEMBER_SILENCE_MS;
    if (this.#missingSinceMs.size === 0) return undefined;
    return Math.min(...this.#missingSinceMs.values()) + MEMBER_SILENCE_MS;
  }

  /** Takes whom an earlier life of this agent knew: as good as nobody's word, but better than none. */
  remember(members: readonly Member[]): void {
    for (const member of members) this.#put(memberKey(member), member);
  }

  apply(event: MembershipEvent, nowMs: number): void {
    if (event.type === 'snapshot') {
      this.#list(event.version, event.members, nowMs);
      return;
    }
    const key = memberKey(event.member);
    this.#missingSinceMs.delete(key);
    if (event.type === 'leave') this.#remove(key);
    else this.#put(key, event.member);
    this.#version = event.version;
  }

  /** The stream that brought the list still stands: whoever is missing now has not joined in all this time. */
  confirm(nowMs: number): void {
    for (const [key, sinceMs] of this.#missingSinceMs) {
      if (nowMs - sinceMs < MEMBER_SILENCE_MS) continue;
      this.#remove(key);
      this.#missingSinceMs.delete(key);
    }
    if (this.#version !== undefined && nowMs - this.#listedMs >= MEMBER_SILENCE_MS) this.#settled = true;
  }

  #list(version: MembershipVersion, members: readonly Member[], nowMs: number): void {
    if (version.epoch !== this.#version?.epoch) this.#settled = false;
    if (!this.#settled) this.#listedMs = nowMs;
    this.#missingSinceMs.clear();
    this.#version = version;
    const listed = new Set<Ipv6>();
    for (const member of members) {
      const key = memberKey(member);
      listed.add(key);
      this.#put(key, member);
    }
    for (const key of this.#members.keys()) if (!listed.has(key)) this.#missingSinceMs.set(key, nowMs);
  }

  #put(key: Ipv6, member: Member): void {
    const before = this.#members.get(key);
    if (before !== undefined && sameMember(before, member)) return;
    this.#members.set(key, member);
    this.#listed = undefined;
  }

  #remove(key: Ipv6): void {
    if (this.#members.delete(key)) this.#listed = undefined;
  }
}
