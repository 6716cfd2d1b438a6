/**
 * The members of one mesh as a node knows them. Pure: it takes lists and events, and gives the members to keep entries
 * for.
 *
 * An incomplete list never removes a member. A member is removed by a `leave`, or when a list lacks it and the stream
 * that brought the list is still alive nine seconds later: by then every member has reported to host0. A further list
 * starts the nine seconds again, since it may come from a host0 that was just started with an empty store for the
 * second time.
 */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { type Member, sameMember } from '../../model/network/member.ts';
import {
  MEMBER_SILENCE_MS,
  MEMBERS_MAX,
  type MembershipEvent,
  type MembershipVersion,
  memberKey,
} from '../../protocol/documents/membership.ts';

/**
 * The most members that are kept, host0 included. A host0 that lists others each time would fill the kernel's tables: then
 * the members that the newest list lacks go first, and a join that finds no room is refused.
 */
export const LISTED_MAX = 2 * (MEMBERS_MAX + 1);

/** Feed it with `apply`, call `confirm` while the stream is alive, and read `members` and `settled`. */
export class MemberList {
  readonly #members = new Map<Ipv6, Member>();
  /** Members that the newest list lacks, and when that list came. */
  readonly #missingSinceMs = new Map<Ipv6, number>();
  #version: MembershipVersion | undefined;
  /** When the list came that will settle this epoch. */
  #listedMs = 0;
  #settled = false;
  /** The value of `members`; undefined after a change, until it is read. */
  #listed: readonly Member[] | undefined;

  /** The version of the newest list or event; undefined before the first list. */
  get version(): MembershipVersion | undefined {
    return this.#version;
  }

  /**
   * Every member to keep entries for, missing ones included. While nothing changes, it is the same array of the same
   * objects.
   */
  get members(): readonly Member[] {
    this.#listed ??= [...this.#members.values()];
    return this.#listed;
  }

  /**
   * Whether a list of this epoch is older than nine seconds. Only then is an entry that belongs to no member left over,
   * for example from an earlier run of this agent.
   */
  get settled(): boolean {
    return this.#settled;
  }

  /** When `confirm` would settle the list or remove a missing member; undefined when there is nothing to confirm. */
  get confirmAtMs(): number | undefined {
    if (this.#version === undefined) return undefined;
    if (!this.#settled) return this.#listedMs + MEMBER_SILENCE_MS;
    if (this.#missingSinceMs.size === 0) return undefined;
    return Math.min(...this.#missingSinceMs.values()) + MEMBER_SILENCE_MS;
  }

  /**
   * Seeds the list with the members from the state file. They are unconfirmed: they never settle the list, and never
   * remove a member.
   */
  remember(members: readonly Member[]): void {
    for (const member of members) this.#put(memberKey(member), member);
  }

  /**
   * @param nowMs the same clock as for `confirm`
   * @throws MESH_HOST0_MALFORMED for a join when the list is full
   */
  apply(event: MembershipEvent, nowMs: number): void {
    if (event.type === 'snapshot') {
      this.#list(event.version, event.members, nowMs);
      return;
    }
    const key = memberKey(event.member);
    if (event.type !== 'leave' && !this.#members.has(key)) this.#makeRoom(LISTED_MAX - 1);
    this.#missingSinceMs.delete(key);
    if (event.type === 'leave') this.#remove(key);
    else this.#put(key, event.member);
    this.#version = event.version;
  }

  /**
   * Call while the stream that brought the list is alive. Removes the members that have been missing for nine seconds.
   */
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
    this.#makeRoom(LISTED_MAX);
  }

  #makeRoom(count: number): void {
    for (const key of this.#missingSinceMs.keys()) {
      if (this.#members.size <= count) return;
      this.#missingSinceMs.delete(key);
      this.#remove(key);
    }
    if (this.#members.size <= count) return;
    throw new MeshError('MESH_HOST0_MALFORMED', `host0 lists more than ${LISTED_MAX} members`, {
      object: 'host0',
      remedy: 'Run `mesh doctor`: another machine may answer as host0.',
      retryable: true,
    });
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
