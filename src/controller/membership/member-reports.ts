/**
 * Reports of one mesh's members: host0 identifies the sender, decides whether the machine may be a member, and writes what
 * is new to the store. Tests: membership.test.ts.
 */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import {
  MEMBER_SILENCE_MS,
  MEMBERS_MAX,
  type NetworkState,
  type SelfReport,
} from '../../protocol/documents/membership.ts';
import type { Applicant } from './admission.ts';
import type { Heartbeats } from './heartbeats.ts';
import { identifySender } from './identity.ts';
import type { KeyedMutex } from './keyed-mutex.ts';
import { doubled, full, moving } from './member-error.ts';
import { type MemberRecord, sameRecord } from './member-record.ts';
import type { MemberTable } from './member-table.ts';
import type { MembershipJournal } from './membership-journal.ts';
import type { MembershipWatch } from './membership-watch.ts';
import type { RecentlyLeft } from './recently-left.ts';
import { Refusals } from './refusals.ts';
import type { SourceVerification } from './source-verification.ts';

/** What the reports of a mesh are checked with, and the parts of its Membership that they change. */
export interface MemberReportsInput {
  /** The present definition of the mesh. */
  readonly network: () => Network;
  /** @throws MESH_MEMBER_NOT_ADMITTED for a machine that may not become a member */
  readonly admit: (applicant: Applicant) => void;
  readonly verification: SourceVerification;
  readonly clock: Clock;
  readonly watch?: MembershipWatch;
  readonly memberTable: MemberTable;
  readonly heartbeats: Heartbeats;
  readonly recentlyLeft: RecentlyLeft;
  readonly journal: MembershipJournal;
  /** Changes of one member's record follow one another. */
  readonly mutex: KeyedMutex<Ipv6>;
}

/** Takes reports and polls, and remembers the ones that it refused. */
export class MemberReports {
  readonly #input: MemberReportsInput;
  readonly #refusals = new Refusals();

  constructor(input: MemberReportsInput) {
    this.#input = input;
  }

  get #network(): Network {
    return this.#input.network();
  }

  /** The refusals of the last nine seconds. */
  refusals(): readonly MeshError[] {
    return this.#refusals.current(this.#input.clock.nowMs());
  }

  /**
   * An agent's report. When this resolves, all news of the report are in the store.
   * @param asker source address of the request, from the socket
   * @throws MESH_HOST0_STARTING, MESH_MEMBER_FORGED, MESH_MEMBER_MOVING, MESH_MEMBER_DOUBLE, MESH_MEMBER_NOT_ADMITTED, MESH_STORE_*
   */
  async report(asker: Ipv6, report: SelfReport): Promise<void> {
    const { machine, name, instance, state } = report;
    this.#beatIfKnown(asker, report);
    await this.#refusing(asker, async () => {
      const { mac, ipv4 } = await this.#identify(asker, machine);
      const record: MemberRecord = { name, ipv4: report.ipv4, mac, ipv6: asker, machine, instance };
      if (report.ipv4 !== ipv4) {
        const present = this.#input.memberTable.get(asker);
        // The first machine's packets have pulled the FDB entry back already. The second machine is refused all the same.
        if (present?.ipv4 === ipv4) this.#refuseDouble(present, record);
        throw moving(this.#network, asker, `it reports from ${report.ipv4}, and its packets come from ${ipv4}`);
      }
      if (report.leaving === true) await this.#leave(record);
      else await this.#enter(record, () => record, state, report.token);
    });
  }

  /** `GET /?name=`: the report of a node without an agent. Throws what `report` throws. */
  async poll(asker: Ipv6, name: string, machine?: MachineId): Promise<void> {
    await this.#refusing(asker, async () => {
      const { mac, ipv4 } = await this.#identify(asker, machine);
      const claim: MemberRecord = { name, ipv4, mac, ipv6: asker, ...(machine !== undefined && { machine }) };
      await this.#enter(claim, (present) => polledRecord(claim, present), { phase: 'ready' });
    });
  }

  async #identify(asker: Ipv6, machine: MachineId | undefined): Promise<{ readonly mac: Mac; readonly ipv4: Ipv4 }> {
    const { memberTable, verification } = this.#input;
    memberTable.mustBeLoaded();
    const source = await verification.verify(this.#network, asker);
    return identifySender(this.#network, asker, machine, source, memberTable.records);
  }

  /** @param recordFor the record to keep, given the present one */
  async #enter(
    claim: MemberRecord,
    recordFor: (present: MemberRecord | undefined) => MemberRecord,
    state: NetworkState,
    token?: string,
  ): Promise<void> {
    const { memberTable, heartbeats, recentlyLeft, mutex, watch } = this.#input;
    const present = memberTable.get(claim.ipv6);
    // Nearly every report is without news, and does not wait for the mutex.
    if (present !== undefined && sameRecord(present, recordFor(present))) return heartbeats.beat(claim.ipv6, state);
    await mutex.take(claim.ipv6, async () => {
      const before = memberTable.get(claim.ipv6);
      const record = recordFor(before);
      if (before === undefined) this.#admit(record, token);
      else this.#refuseDouble(before, claim);
      const known = before ?? recentlyLeft.recordOf(claim.ipv6);
      if (before === undefined || !sameRecord(before, record)) await memberTable.put(record);
      heartbeats.beat(record.ipv6, state);
      if (known?.instance !== undefined && known.instance !== record.instance) watch?.booted(this.#network);
    });
  }

  /**
   * Counts the heartbeat of a known member when its report arrives, before the report is checked. The check may be slow:
   * host0's kernel answers under a lock of the whole machine. It may also fail through no fault of the member: while a
   * second machine pulls the FDB entry to itself, the first machine's reports do not fit the entry. Only the first
   * machine knows its instance.
   */
  #beatIfKnown(asker: Ipv6, { ipv4, instance, state }: SelfReport): void {
    const present = this.#input.memberTable.get(asker);
    if (present?.instance === instance && present.ipv4 === ipv4) this.#input.heartbeats.beat(asker, state);
  }

  #admit({ machine }: MemberRecord, token: string | undefined): void {
    if (this.#input.memberTable.size >= MEMBERS_MAX) throw full(this.#network, MEMBERS_MAX);
    this.#input.admit({ machine, token });
  }

  async #leave(record: MemberRecord): Promise<void> {
    const { memberTable, mutex } = this.#input;
    await mutex.take(record.ipv6, async () => {
      const present = memberTable.get(record.ipv6);
      if (present === undefined) return;
      this.#refuseDouble(present, record);
      await memberTable.remove(record.ipv6);
    });
  }

  /** @throws MESH_MEMBER_DOUBLE when `claim` comes from another machine than `present`, and `present` is alive */
  #refuseDouble(present: MemberRecord, claim: MemberRecord): void {
    if (present.ipv4 === claim.ipv4) return;
    const { heardMs, moves, since } = this.#input.heartbeats.of(present.ipv6);
    const nowMs = this.#input.clock.nowMs();
    const unproven = present.instance === undefined && claim.instance === undefined;
    if (!unproven && present.instance === claim.instance) return;
    const double = unproven ? moves.note(nowMs) : nowMs - heardMs < MEMBER_SILENCE_MS;
    if (double) throw doubled(this.#network, present, since, claim);
  }

  /** Runs `work`, and records a lasting refusal in the journal, once. */
  async #refusing(asker: Ipv6, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      const error = MeshError.from(thrown);
      if (!error.retryable && this.#refusals.note(asker, error, this.#input.clock.nowMs())) {
        this.#input.journal.refused(asker, error);
      }
      throw error;
    }
  }
}

/**
 * The record after a poll. If an agent reports from the same address, its name and instance stay: the poll only counts as
 * a heartbeat.
 */
function polledRecord(claim: MemberRecord, present: MemberRecord | undefined): MemberRecord {
  if (present === undefined || present.mac !== claim.mac) return claim;
  if (present.instance !== undefined && present.ipv4 === claim.ipv4) return present;
  const machine = claim.machine ?? present.machine;
  return { ...claim, ...(machine !== undefined && { machine }) };
}
