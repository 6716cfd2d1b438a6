/**
 * One mesh's members as a node believes them to be. Pure: lists and events go in, and out comes whom to keep rows for.
 *
 * An incomplete list never removes anything. A member goes by a `leave`, or when it is missing from two lists of one
 * epoch at least nine seconds apart; a list of a new epoch (host0 lost its store) only adds at first.
 */
import type { Ipv6 } from '../model/ipv6.ts';
import { type Member, sameMember } from '../model/member.ts';
import { MEMBER_SILENCE_MS, type MembershipEvent, type MembershipVersion, memberKey } from '../protocol/membership.ts';

export class MemberList {
  readonly #members = new Map<Ipv6, Member>();
  /** Members that the newest list lacks, and when a list of this epoch first lacked them. */
  readonly #missingSinceMs = new Map<Ipv6, number>();
  #version: MembershipVersion | undefined;
  #epochSinceMs = 0;
  #settled = false;
  /** Made when it is asked for. */
  #listed: readonly Member[] | undefined;

  get version(): MembershipVersion | undefined {
    return this.#version;
  }

  /** Every member to keep rows for, the missing among them. The same list, of the same objects, while nothing changes. */
  get members(): readonly Member[] {
    this.#listed ??= [...this.#members.values()];
    return this.#listed;
  }

  /**
   * Whether two lists of this epoch, far enough apart, have been seen: only then is a row that belongs to no member
   * known to be left over, for example from before this agent's start.
   */
  get settled(): boolean {
    return this.#settled;
  }

  /** When to `confirm`, so that the missing are either found or let go; undefined when nothing is open. */
  get confirmAtMs(): number | undefined {
    if (this.#version === undefined) return undefined;
    if (!this.#settled) return this.#epochSinceMs + MEMBER_SILENCE_MS;
    if (this.#missingSinceMs.size === 0) return undefined;
    return Math.min(...this.#missingSinceMs.values()) + MEMBER_SILENCE_MS;
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

  /** A stream that still stands is as good as a further list: whoever is missing now would be missing from it. */
  confirm(nowMs: number): void {
    for (const [key, sinceMs] of this.#missingSinceMs) {
      if (nowMs - sinceMs < MEMBER_SILENCE_MS) continue;
      this.#remove(key);
      this.#missingSinceMs.delete(key);
    }
    if (this.#version !== undefined && nowMs - this.#epochSinceMs >= MEMBER_SILENCE_MS) this.#settled = true;
  }

  #list(version: MembershipVersion, members: readonly Member[], nowMs: number): void {
    if (version.epoch !== this.#version?.epoch) {
      this.#epochSinceMs = nowMs;
      this.#settled = false;
      this.#missingSinceMs.clear();
    }
    this.#version = version;
    const listed = new Set<Ipv6>();
    for (const member of members) {
      const key = memberKey(member);
      listed.add(key);
      this.#put(key, member);
      this.#missingSinceMs.delete(key);
    }
    for (const key of this.#members.keys()) {
      if (!listed.has(key) && !this.#missingSinceMs.has(key)) this.#missingSinceMs.set(key, nowMs);
    }
    this.confirm(nowMs);
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
