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
import type { Mesh } from '../../model/network/mesh.ts';
import {
  MEMBERS_MAX,
  MEMBERS_RESERVED,
  type NetworkState,
  POLLERS_MAX,
  type SelfReport,
} from '../../protocol/documents/membership.ts';
import type { Applicant } from '../admission/admission.ts';
import type { ProofOutcome, Proofs } from '../admission/proofs.ts';
import type { Heartbeats } from './heartbeats.ts';
import { identifySender, machineOfPoller } from './identity.ts';
import type { KeyedMutex } from './keyed-mutex.ts';
import { full, imitated, moving, notItsAgent, pollersFull } from './member-error.ts';
import { MemberNames, type MemberNamesInput } from './member-names.ts';
import { MemberPlaces } from './member-places.ts';
import { type MemberRecord, sameRecord } from './member-record.ts';
import type { MemberTable } from './member-table.ts';
import type { MembershipJournal } from './membership-journal.ts';
import type { MembershipWatch } from './membership-watch.ts';
import type { RecentlyLeft } from './recently-left.ts';
import { Refusals } from './refusals.ts';
import type { SourceVerification } from './source-verification.ts';

/** What the reports of a mesh are checked with, and the parts of its Membership that they change. */
export interface MemberReportsInput extends Pick<MemberNamesInput, 'name' | 'machineNamed' | 'elsewhere'> {
  /** The present definition of the mesh. */
  readonly network: () => Mesh;
  /** @throws MESH_MEMBER_NOT_ADMITTED for a machine that may not become a member */
  readonly admit: (applicant: Applicant) => void;
  readonly proofs: Proofs;
  /** Whether each member must prove its token. */
  readonly mustProve: boolean;
  /** The machines that an administrator has named. */
  readonly machines: () => Iterable<MachineId>;
  readonly verification: SourceVerification;
  readonly clock: Clock;
  readonly watch?: MembershipWatch;
  readonly memberTable: MemberTable;
  readonly heartbeats: Heartbeats;
  readonly recentlyLeft: RecentlyLeft;
  readonly journal: MembershipJournal;
  /** Changes of one member's record follow one another, and so do those at one underlay address. */
  readonly mutex: KeyedMutex<Ipv6 | Ipv4>;
}

/** What a report makes of a member. */
interface Entry {
  /** What the sender says of itself, with the addresses that host0's kernel saw. */
  readonly claim: MemberRecord;
  readonly state: NetworkState;
  readonly proof: ProofOutcome;
}

/** Takes reports and polls, and remembers the ones that it refused. */
export class MemberReports {
  readonly #input: MemberReportsInput;
  readonly #names: MemberNames;
  readonly #places: MemberPlaces;
  readonly #refusals = new Refusals();

  constructor(input: MemberReportsInput) {
    this.#input = input;
    this.#names = new MemberNames({ ...input, records: () => input.memberTable.records });
    this.#places = new MemberPlaces(input);
  }

  get #network(): Mesh {
    return this.#input.network();
  }

  /** The refusals of the last nine seconds. */
  refusals(): readonly MeshError[] {
    return this.#refusals.current(this.#input.clock.nowMs());
  }

  /** Why a report that named this machine was refused in the last nine seconds; undefined if none was. */
  refusalOf(machine: MachineId): MeshError | undefined {
    return this.#refusals.ofMachine(machine, this.#input.clock.nowMs());
  }

  /**
   * An agent's report. When this resolves, all news of the report are in the store.
   * @param asker source address of the request, from the socket
   * @throws MESH_HOST0_STARTING, MESH_MEMBER_FORGED, MESH_MEMBER_MOVING, MESH_MEMBER_DOUBLE, MESH_MEMBER_NOT_ADMITTED,
   *   MESH_MEMBER_UNPROVEN, MESH_STORE_*
   */
  async report(asker: Ipv6, report: SelfReport): Promise<void> {
    const { machine, name, instance, state } = report;
    const proof = await this.#check(asker, report);
    this.#beatIfKnown(asker, report, proof);
    await this.#refusing(asker, machine, async () => {
      const { mac, ipv4 } = await this.#identify(asker, machine);
      const proven = proof === 'good' && { proven: true };
      const claim: MemberRecord = { name, ipv4: report.ipv4, mac, ipv6: asker, machine, instance, ...proven };
      if (report.ipv4 !== ipv4) {
        const present = this.#input.memberTable.get(asker);
        // The first machine's packets have pulled the FDB entry back already. The second machine is refused all the same.
        if (present?.ipv4 === ipv4) this.#places.refuseDouble(present, claim);
        this.#tellImitation(present, claim, ipv4);
        throw moving(this.#network, asker, `it reports from ${report.ipv4}, and its packets come from ${ipv4}`);
      }
      if (report.leaving === true) await this.#leave({ claim, state, proof });
      else await this.#enter({ claim, state, proof });
    });
  }

  /** `GET /?name=`: the report of a node without an agent. Throws what `report` throws. */
  async poll(asker: Ipv6, name: string, claimed?: MachineId): Promise<void> {
    await this.#refusing(asker, claimed, async () => {
      const { memberTable, machines } = this.#input;
      memberTable.mustBeLoaded();
      const machine = claimed ?? machineOfPoller(this.#network, asker, memberTable.get(asker), machines());
      const { mac, ipv4 } = await this.#identify(asker, machine);
      const claim: MemberRecord = { name, ipv4, mac, ipv6: asker, ...(machine !== undefined && { machine }) };
      if (this.#isAgents(claim)) return this.#beatByPoll(asker);
      this.#places.refuseBesideAgent(claim);
      await this.#enter({ claim, state: { phase: 'ready' }, proof: 'none' });
    });
  }

  async #identify(asker: Ipv6, machine: MachineId | undefined): Promise<{ readonly mac: Mac; readonly ipv4: Ipv4 }> {
    const { memberTable, verification } = this.#input;
    memberTable.mustBeLoaded();
    const source = await verification.verify(this.#network, asker);
    return identifySender(this.#network, asker, machine, source, memberTable.records);
  }

  /** What the proof in a report is worth. The same proof of a member is checked once. */
  async #check(asker: Ipv6, report: SelfReport): Promise<ProofOutcome> {
    const { memberTable, heartbeats, proofs } = this.#input;
    const { nonce, proof } = report;
    if (proof === undefined) return proofs.check(this.#network, asker, report);
    const isMember = memberTable.get(asker) !== undefined;
    if (isMember && heartbeats.of(asker).goodProof === `${nonce} ${proof}`) return 'good';
    const outcome = await proofs.check(this.#network, asker, report);
    if (outcome === 'good' && memberTable.get(asker) !== undefined)
      heartbeats.of(asker).goodProof = `${nonce} ${proof}`;
    return outcome;
  }

  /** Whether an agent reports from where this poll comes from. The poll then changes nothing. */
  #isAgents({ ipv6, ipv4, mac }: MemberRecord): boolean {
    const present = this.#input.memberTable.get(ipv6);
    return present?.instance !== undefined && present.mac === mac && present.ipv4 === ipv4;
  }

  /** The record to keep, given the present one. What an instance has proven once stays proven. */
  #recordFor(claim: MemberRecord, present: MemberRecord | undefined): MemberRecord {
    const proven = present?.instance === claim.instance && present?.proven === true && { proven: true };
    return { ...claim, ...proven, name: this.#names.nameFor(claim, present) };
  }

  async #enter(entry: Entry): Promise<void> {
    const { memberTable, heartbeats, mutex } = this.#input;
    const { claim, state } = entry;
    const present = memberTable.get(claim.ipv6);
    this.#admit(entry, present !== undefined);
    // Nearly every report is without news, and does not wait for the mutex.
    if (present !== undefined && sameRecord(present, this.#recordFor(claim, present))) {
      return heartbeats.beat(claim.ipv6, state);
    }
    await mutex.take(claim.ipv4, () => mutex.take(claim.ipv6, () => this.#takeNews(entry)));
  }

  async #takeNews({ claim, state }: Entry): Promise<void> {
    const { memberTable, heartbeats, recentlyLeft, journal, watch } = this.#input;
    const before = memberTable.get(claim.ipv6);
    if (before === undefined) this.#mustHaveRoom(claim);
    else this.#places.refuseDouble(before, claim);
    await this.#places.claim(claim, before);
    const record = this.#recordFor(claim, before);
    const known = before ?? recentlyLeft.recordOf(claim.ipv6);
    if (before === undefined || !sameRecord(before, record)) await memberTable.put(record);
    heartbeats.beat(record.ipv6, state);
    if (claim.instance !== undefined && record.name !== claim.name) journal.namedOtherwise(record, claim.name);
    if (known?.instance !== undefined && known.instance !== record.instance) watch?.booted(this.#network);
  }

  /**
   * Counts the heartbeat of a known member when its report arrives, before the report is checked. The check may be slow:
   * host0's kernel answers under a lock of the whole machine. It may also fail through no fault of the member: while a
   * second machine pulls the FDB entry to itself, the first machine's reports do not fit the entry. Only the first
   * machine knows its instance.
   */
  #beatIfKnown(asker: Ipv6, { ipv4, instance, state }: SelfReport, proof: ProofOutcome): void {
    if (this.#input.mustProve && proof !== 'good') return;
    const present = this.#input.memberTable.get(asker);
    if (present?.instance === instance && present.ipv4 === ipv4) this.#input.heartbeats.beat(asker, state);
  }

  /** A poll of a node whose agent reports shows that the node is alive, unless it must prove who it is. */
  #beatByPoll(asker: Ipv6): void {
    if (!this.#input.mustProve) this.#input.heartbeats.beat(asker, { phase: 'ready' });
  }

  #admit({ claim: { machine }, proof }: Entry, isMember: boolean): void {
    this.#input.admit({ machine, proof, isMember });
  }

  #mustHaveRoom(claim: MemberRecord): void {
    const { memberTable, machines } = this.#input;
    const strangersMax = MEMBERS_MAX - MEMBERS_RESERVED;
    if (memberTable.size >= strangersMax) {
      const isKnown = claim.proven === true || Iterator.from(machines()).some((machine) => machine === claim.machine);
      const limit = isKnown ? MEMBERS_MAX : strangersMax;
      if (memberTable.size >= limit) throw full(this.#network, limit);
    }
    this.#places.refuseRecent(claim);
    if (claim.machine !== undefined) return;
    const pollers = memberTable.records.filter(({ machine }) => machine === undefined).toArray().length;
    if (pollers >= POLLERS_MAX) throw pollersFull(this.#network, POLLERS_MAX);
  }

  async #leave(entry: Entry): Promise<void> {
    const { memberTable, mutex } = this.#input;
    const { claim } = entry;
    this.#admit(entry, memberTable.get(claim.ipv6) !== undefined);
    await mutex.take(claim.ipv6, async () => {
      const present = memberTable.get(claim.ipv6);
      if (present === undefined) return;
      if (present.ipv4 !== claim.ipv4) this.#places.refuseDouble(present, claim);
      if (present.instance !== claim.instance) throw notItsAgent(this.#network, present, 'leave');
      await memberTable.remove(claim.ipv6);
    });
  }

  /** Tells when a member's frames come from where another member is: then a guest there sends them. */
  #tellImitation(present: MemberRecord | undefined, claim: MemberRecord, ipv4: Ipv4): void {
    if (present === undefined || present.instance !== claim.instance || present.ipv4 !== claim.ipv4) return;
    const place = this.#input.memberTable.records.find((record) => record.ipv4 === ipv4);
    if (place !== undefined) this.#tell(claim.ipv6, imitated(this.#network, present, place));
  }

  /** Runs `work`, and records a lasting refusal in the journal, once. */
  async #refusing(asker: Ipv6, machine: MachineId | undefined, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      const error = MeshError.from(thrown);
      if (!error.retryable) this.#tell(asker, error, machine);
      throw error;
    }
  }

  #tell(asker: Ipv6, error: MeshError, machine?: MachineId): void {
    const { journal, clock } = this.#input;
    if (this.#refusals.note(asker, error, clock.nowMs(), machine)) journal.refused(asker, error);
  }
}
