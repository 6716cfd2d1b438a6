/**
 * Heartbeats: when host0 heard from each member last, and which members are silent for too long. They are in memory
 * only.
 */

import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MEMBER_SILENCE_MS, type NetworkState } from '../../protocol/documents/membership.ts';
import { MoveWatch } from './move-watch.ts';

/** What host0 remembers of a member between its reports. */
export class Heartbeat {
  /** When host0 heard from the member last, on its clock. */
  heardMs: number;
  /** Whether the member itself was heard since reports can arrive: a member that is known from the store may have rebooted. */
  isHeard = false;
  /** When host0 heard from the member for the first time. */
  readonly since: Date;
  /** The state of the mesh on the member, from its last report. */
  state: NetworkState = { phase: 'pending', why: 'not heard of since host0 started' };
  readonly moves = new MoveWatch();
  /** The last proof of the member that was good, with its nonce. */
  goodProof = '';
  /** When other instances began to report from the member's place, and when the last one did. */
  #rival: { readonly sinceMs: number; readonly lastMs: number } | undefined;

  constructor(heardMs: number, since: Date) {
    this.heardMs = heardMs;
    this.since = since;
  }

  /**
   * Notes that another instance reports from the member's place.
   * @returns whether the member itself has been heard since the first of them appeared, so that both are there
   */
  hasRival(nowMs: number): boolean {
    const before = this.#rival;
    const goesOn = before !== undefined && nowMs - before.lastMs < MEMBER_SILENCE_MS;
    const sinceMs = goesOn ? before.sinceMs : nowMs;
    this.#rival = { sinceMs, lastMs: nowMs };
    return this.heardMs > sinceMs;
  }
}

const DROP_RETRY_MS = 1_000;
/** The longest time between two alarms: a late alarm shows that this process did not get to run. */
const WATCH_MS = 1_000;
/** An alarm that is later than this was not delayed by load: the process, or the machine, was stopped. */
const LATE_MS = 500;

/** What the heartbeats of one mesh work with. */
interface HeartbeatsInput {
  readonly clock: Clock;
  /** Called for each silent member, and again later if it rejects. */
  readonly drop: (ipv6: Ipv6) => Promise<void>;
  /** Called with the reason of a rejection. */
  readonly failed: (error: unknown) => void;
  /** Whether host0 can accept a connection. Asked about once a second, and before a member is dropped. @param now an answer of a moment ago is not enough */
  readonly hears: (now: boolean) => boolean;
}

/** Keeps the heartbeats of one mesh, and drops silent members. */
export class Heartbeats {
  readonly #input: HeartbeatsInput;
  readonly #clock: Clock;
  readonly #heartbeats = new Map<Ipv6, Heartbeat>();
  /** When host0 last found that it accepts no connections. */
  #deafMs = Number.NEGATIVE_INFINITY;
  #hearing = false;
  #alarm: Alarm | undefined;
  #dueMs = 0;

  constructor(input: HeartbeatsInput) {
    this.#input = input;
    this.#clock = input.clock;
  }

  /**
   * Whether reports can arrive. While they cannot, silence means nothing. When they can again, all members get the full nine
   * seconds.
   */
  set hearing(hearing: boolean) {
    this.#hearing = hearing;
    const nowMs = this.#clock.nowMs();
    for (const heartbeat of hearing ? this.#heartbeats.values() : []) {
      heartbeat.heardMs = nowMs;
      heartbeat.isHeard = false;
    }
    this.#alarm?.cancel();
    this.#alarm = undefined;
    this.#arm();
  }

  /** The heartbeat of a member. The first call for a member begins one, as if the member had just been heard. */
  of(ipv6: Ipv6): Heartbeat {
    let heartbeat = this.#heartbeats.get(ipv6);
    if (heartbeat === undefined) {
      heartbeat = new Heartbeat(this.#clock.nowMs(), this.#clock.wallTime());
      this.#heartbeats.set(ipv6, heartbeat);
      this.#arm();
    }
    return heartbeat;
  }

  /** Notes that the member has just been heard. */
  beat(ipv6: Ipv6, state: NetworkState): void {
    const heartbeat = this.of(ipv6);
    heartbeat.heardMs = this.#clock.nowMs();
    heartbeat.isHeard = true;
    heartbeat.state = state;
  }

  forget(ipv6: Ipv6): void {
    this.#heartbeats.delete(ipv6);
  }

  /** Keeps the heartbeats of `members`, begins missing ones, and forgets all others. */
  keep(members: ReadonlySet<Ipv6>): void {
    for (const ipv6 of this.#heartbeats.keys()) if (!members.has(ipv6)) this.#heartbeats.delete(ipv6);
    for (const ipv6 of members) this.of(ipv6);
  }

  /** Whether a member is silent for too long, at a time when reports can arrive. */
  silent(ipv6: Ipv6): boolean {
    const heartbeat = this.#heartbeats.get(ipv6);
    if (!this.#hearing || heartbeat === undefined) return false;
    return this.#clock.nowMs() - Math.max(heartbeat.heardMs, this.#deafMs) >= MEMBER_SILENCE_MS;
  }

  #allSilent(): Ipv6[] {
    return [...this.#heartbeats.keys()].filter((ipv6) => this.silent(ipv6));
  }

  /** Sets the alarm for the first member whose time may run out, but no later than WATCH_MS from now. */
  #arm(atLeastMs = 0): void {
    if (!this.#hearing || this.#alarm !== undefined || this.#heartbeats.size === 0) return;
    let firstMs = Number.POSITIVE_INFINITY;
    for (const { heardMs } of this.#heartbeats.values()) firstMs = Math.min(firstMs, Math.max(heardMs, this.#deafMs));
    const delayMs = Math.min(Math.max(firstMs + MEMBER_SILENCE_MS - this.#clock.nowMs(), atLeastMs), WATCH_MS);
    this.#dueMs = this.#clock.nowMs() + delayMs;
    this.#alarm = this.#clock.after(delayMs, () => void this.#sweep());
  }

  /**
   * Time in which this process did not run (it was stopped, or its machine) does not count as silence: it could not
   * hear.
   */
  #excuseOwnAbsence(): void {
    const nowMs = this.#clock.nowMs();
    const lateMs = nowMs - this.#dueMs;
    if (lateMs < LATE_MS) return;
    for (const heartbeat of this.#heartbeats.values()) heartbeat.heardMs = Math.min(heartbeat.heardMs + lateMs, nowMs);
  }

  /** Never rejects. */
  async #sweep(): Promise<void> {
    this.#excuseOwnAbsence();
    if (!this.#input.hears(false)) this.#deafMs = this.#clock.nowMs();
    let silent = this.#allSilent();
    if (silent.length > 0 && !this.#input.hears(true)) {
      this.#deafMs = this.#clock.nowMs();
      silent = [];
    }
    const failure =
      silent.length === 0
        ? undefined
        : (await Promise.allSettled(silent.map((ipv6) => this.#input.drop(ipv6)))).find(
            (result) => result.status === 'rejected',
          );
    if (failure !== undefined) this.#input.failed(failure.reason);
    this.#alarm = undefined;
    this.#arm(failure === undefined ? 0 : DROP_RETRY_MS);
  }
}
