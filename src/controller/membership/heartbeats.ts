/** When each member was heard of last, and who has been silent for too long. Never in the store: it lives as long as this process. */

import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MEMBER_SILENCE_MS, type NetworkState } from '../../protocol/documents/membership.ts';
import { MoveWatch } from './move-watch.ts';

export interface Heartbeat {
  heardMs: number;
  /** When it was first heard of. */
  readonly since: Date;
  /** How the mesh fares there, as it said itself. */
  state: NetworkState;
  readonly moves: MoveWatch;
}

const DROP_RETRY_MS = 1_000;
/** So often, at least, it is noticed whether this process itself gets to run. */
const WATCH_MS = 1_000;
/** A busy machine is late by less. */
const LATE_MS = 500;

export class Heartbeats {
  readonly #clock: Clock;
  readonly #drop: (ipv6: Ipv6) => Promise<void>;
  readonly #failed: (error: unknown) => void;
  readonly #heartbeats = new Map<Ipv6, Heartbeat>();
  #hearing = false;
  #alarm: Alarm | undefined;
  #dueMs = 0;

  /**
   * @param drop is called for whoever is silent, again later if it fails
   * @param failed is told why
   */
  constructor(clock: Clock, drop: (ipv6: Ipv6) => Promise<void>, failed: (error: unknown) => void) {
    this.#clock = clock;
    this.#drop = drop;
    this.#failed = failed;
  }

  /** While nobody can be heard, silence means nothing; when they can again, everybody gets the full nine seconds. */
  set hearing(hearing: boolean) {
    this.#hearing = hearing;
    const nowMs = this.#clock.nowMs();
    if (hearing) for (const heartbeat of this.#heartbeats.values()) heartbeat.heardMs = nowMs;
    this.#alarm?.cancel();
    this.#alarm = undefined;
    this.#arm();
  }

  /** Of a member that has none yet it begins now. */
  of(ipv6: Ipv6): Heartbeat {
    let heartbeat = this.#heartbeats.get(ipv6);
    if (heartbeat === undefined) {
      const state = { phase: 'pending' as const, why: 'not heard of since host0 started' };
      heartbeat = { heardMs: this.#clock.nowMs(), since: this.#clock.wallTime(), state, moves: new MoveWatch() };
      this.#heartbeats.set(ipv6, heartbeat);
      this.#arm();
    }
    return heartbeat;
  }

  beat(ipv6: Ipv6, state: NetworkState): void {
    const heartbeat = this.of(ipv6);
    heartbeat.heardMs = this.#clock.nowMs();
    heartbeat.state = state;
  }

  forget(ipv6: Ipv6): void {
    this.#heartbeats.delete(ipv6);
  }

  /** Keeps those of `members` and no others. */
  keep(members: ReadonlySet<Ipv6>): void {
    for (const ipv6 of this.#heartbeats.keys()) if (!members.has(ipv6)) this.#heartbeats.delete(ipv6);
    for (const ipv6 of members) this.of(ipv6);
  }

  silent(ipv6: Ipv6): boolean {
    const heartbeat = this.#heartbeats.get(ipv6);
    return this.#hearing && heartbeat !== undefined && this.#clock.nowMs() - heartbeat.heardMs >= MEMBER_SILENCE_MS;
  }

  /** Sets the alarm for the first member whose time may run out, or for a look at the clock before. */
  #arm(atLeastMs = 0): void {
    if (!this.#hearing || this.#alarm !== undefined || this.#heartbeats.size === 0) return;
    let firstMs = Number.POSITIVE_INFINITY;
    for (const { heardMs } of this.#heartbeats.values()) firstMs = Math.min(firstMs, heardMs);
    const delayMs = Math.min(Math.max(firstMs + MEMBER_SILENCE_MS - this.#clock.nowMs(), atLeastMs), WATCH_MS);
    this.#dueMs = this.#clock.nowMs() + delayMs;
    this.#alarm = this.#clock.after(delayMs, () => void this.#sweep());
  }

  /** Time in which this process got no CPU (stopped, or its machine was) is nobody's silence: nothing could be heard. */
  #excuseOwnAbsence(): void {
    const nowMs = this.#clock.nowMs();
    const lateMs = nowMs - this.#dueMs;
    if (lateMs < LATE_MS) return;
    for (const heartbeat of this.#heartbeats.values()) heartbeat.heardMs = Math.min(heartbeat.heardMs + lateMs, nowMs);
  }

  /** Never rejects. */
  async #sweep(): Promise<void> {
    this.#excuseOwnAbsence();
    const dropping = [...this.#heartbeats.keys()].filter((ipv6) => this.silent(ipv6)).map((ipv6) => this.#drop(ipv6));
    const failure = (await Promise.allSettled(dropping)).find((result) => result.status === 'rejected');
    if (failure !== undefined) this.#failed(failure.reason);
    this.#alarm = undefined;
    this.#arm(failure === undefined ? 0 : DROP_RETRY_MS);
  }
}
