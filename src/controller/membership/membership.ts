/**
 * One mesh's membership on host0 (DESIGN §6): who is in, who may come in, who has gone. Joins, changes and leaves are in
 * the store; heartbeats and reported states live here, in memory.
 */

import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { type Member, type MemberAddresses, memberAddresses } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import {
  MEMBER_SILENCE_MS,
  type MembershipEvent,
  type MembershipVersion,
  type NetworkState,
  type SelfReport,
} from '../../protocol/documents/membership.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Store } from '../../store/store.ts';
import type { Applicant } from './admission.ts';
import { Heartbeats } from './heartbeats.ts';
import { identifySender } from './identity.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import { doubled, forged, full, moving } from './member-error.ts';
import { type MemberRecord, memberOf, sameRecord } from './member-record.ts';
import { MemberTable } from './member-table.ts';
import { MembershipJournal } from './membership-journal.ts';
import type { MembershipChange } from './membership-log.ts';
import type { MembershipWatch } from './membership-watch.ts';
import { RecentlyLeft } from './recently-left.ts';
import { Refusals } from './refusals.ts';
import type { SourceVerification } from './source-verification.ts';
import { Subscribers } from './subscribers.ts';

export interface MembershipInput {
  readonly network: Network;
  /** host0's own host name. */
  readonly name: string;
  /** @throws MESH_MEMBER_NOT_ADMITTED for who may not become a member */
  readonly admit: (applicant: Applicant) => void;
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly verification: SourceVerification;
  /** host0's IPv4 as somebody at `viewer` sees it. */
  readonly host0AddressFor: (viewer: Ipv4 | undefined) => Ipv4;
  readonly subnets: () => readonly Ipv4Cidr[];
  readonly onChange: (change: MembershipChange) => void;
  /** The members have been read, at the start or anew. */
  readonly onLoad: () => void;
  readonly watch?: MembershipWatch;
}

/** A member, past or present, and when it was heard of last. */
export interface MemberPresence {
  readonly record: MemberRecord;
  readonly online: boolean;
  readonly heardMs: number;
  readonly state: NetworkState;
}

/** The kernel's neighbour table ends at 1024 entries unless it was enlarged (`gc_thresh3`). */
const MEMBERS_MAX = 4096;

export class Membership {
  #network: Network;
  readonly #input: MembershipInput;
  readonly #memberTable: MemberTable;
  readonly #host0: MemberAddresses;
  readonly #heartbeats: Heartbeats;
  readonly #journal: MembershipJournal;
  readonly #recentlyLeft = new RecentlyLeft();
  readonly #refusals = new Refusals();
  readonly #mutex = new KeyedMutex<Ipv6>();
  readonly #subscribers: Subscribers;
  /** Whose removal is under way because of their silence. */
  readonly #dropping = new Set<Ipv6>();

  constructor(input: MembershipInput) {
    this.#network = input.network;
    this.#input = input;
    this.#journal = new MembershipJournal(input.network, input.journal);
    this.#host0 = memberAddresses(input.network, 'host0');
    this.#subscribers = new Subscribers({
      ...input,
      snapshot: (viewer) => ({
        type: 'snapshot',
        version: this.version,
        members: this.members(viewer),
        segments: this.segments,
      }),
      revision: () => this.#memberTable.version.revision,
      first: input.onChange,
    });
    this.#heartbeats = new Heartbeats(
      input.clock,
      (ipv6) => this.#drop(ipv6),
      (error) => this.#journal.notDropped(error),
    );
    this.#memberTable = new MemberTable({
      ...input,
      onChange: (change, record, before) => this.#changed(change, record, before),
      onLoad: () => this.#loaded(),
    });
  }

  /** As it is defined now. */
  get network(): Network {
    return this.#network;
  }

  /** Takes a definition under which the mesh is still the same one (`mustRejoin`): members and streams stay. */
  redefine(network: Network): void {
    this.#network = network;
  }

  /** Reads the members from the store, and goes on trying. Until then every question is answered with MESH_HOST0_STARTING. */
  start(): Promise<void> {
    return this.#memberTable.start();
  }

  get loaded(): boolean {
    return this.#memberTable.loaded;
  }

  /** @throws MESH_HOST0_STARTING */
  mustBeLoaded(): void {
    if (this.#memberTable.loaded) return;
    throw new MeshError('MESH_HOST0_STARTING', `host0 has not read the members of ${this.network.name} yet`, {
      object: this.network.name,
      retryable: true,
      remedy: 'Ask again in a second.',
    });
  }

  /** @throws MESH_HOST0_STARTING */
  get version(): MembershipVersion {
    this.mustBeLoaded();
    return this.#memberTable.version;
  }

  /**
   * Whether reports can reach host0 now. While they cannot, silence means nothing and nobody is dropped; when they can
   * again, everybody gets the full nine seconds.
   */
  hear(hearing: boolean): void {
    this.#heartbeats.hearing = hearing;
  }

  /**
   * All members, host0 first.
   * @param viewer underlay address of whoever asks, if it is known
   * @throws MESH_HOST0_STARTING
   */
  members(viewer?: Ipv4): readonly Member[] {
    this.mustBeLoaded();
    const { name, host0AddressFor } = this.#input;
    const host0 = { name, ipv4: host0AddressFor(viewer), mac: this.#host0.bridgeMac, ipv6: this.#host0.ipv6 };
    return [host0, ...this.others()];
  }

  /** All members but host0. */
  others(): readonly Member[] {
    return this.#memberTable.records.map(memberOf).toArray();
  }

  /** The underlay subnets that host0 forwards VXLAN between. */
  get segments(): readonly Ipv4Cidr[] {
    return this.#input.subnets();
  }

  /** How many members follow the stream now. */
  get listeners(): number {
    return this.#subscribers.size;
  }

  /** Who left in the last 30 s and is not back. */
  left(): readonly Mac[] {
    return this.#recentlyLeft.lately(this.#input.clock.nowMs());
  }

  /** Those that are here and those that were. */
  sightings(): readonly MemberPresence[] {
    const here = this.#memberTable.records.map((record) => {
      const heartbeat = this.#heartbeats.of(record.ipv6);
      return { record, online: true, heardMs: heartbeat.heardMs, state: heartbeat.state };
    });
    const gone = [...this.#recentlyLeft.all].map(({ record, heardMs }) => ({
      record,
      online: false,
      heardMs,
      state: { phase: 'pending' as const, why: 'not heard of' },
    }));
    return [...here, ...gone];
  }

  /** Why somebody is kept out at the moment. */
  refusals(): readonly MeshError[] {
    return this.#refusals.current(this.#input.clock.nowMs());
  }

  /**
   * Which machine a member is.
   * @throws MESH_HOST0_STARTING, MESH_MEMBER_FORGED for whom host0 has not counted as a member under a machine's id
   */
  machineAt(asker: Ipv6): MachineId {
    this.mustBeLoaded();
    const machine = this.#memberTable.get(asker)?.machine;
    if (machine === undefined) throw forged(this.network, asker, 'it is no member that said which machine it is');
    return machine;
  }

  /** Where host0's kernel sees the packets of `asker` come from, if it does. */
  async whereabouts(asker: Ipv6): Promise<Ipv4 | undefined> {
    return (await this.#input.verification.verify(this.network, asker)).ipv4;
  }

  /**
   * An agent's report. When it resolves, the store has what is new in it.
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
        const present = this.#memberTable.get(asker);
        // The first machine's packets have pulled the entry back already: the second need not win that race to be told.
        if (present?.ipv4 === ipv4) this.#refuseDouble(present, record);
        throw moving(this.network, asker, `it reports from ${report.ipv4}, and its packets come from ${ipv4}`);
      }
      if (report.leaving === true) await this.#leave(record);
      else await this.#enter(record, () => record, state, report.token);
    });
  }

  /** `GET /?name=`: a report of somebody who can do no more. Throws what `report` throws. */
  async poll(asker: Ipv6, name: string, machine?: MachineId): Promise<void> {
    await this.#refusing(asker, async () => {
      const { mac, ipv4 } = await this.#identify(asker, machine);
      const claim: MemberRecord = { name, ipv4, mac, ipv6: asker, ...(machine !== undefined && { machine }) };
      await this.#enter(claim, (present) => polledRecord(claim, present), { phase: 'ready' });
    });
  }

  /**
   * First what `listener` has missed since `seen`, or else a snapshot; then every change.
   * @throws MESH_HOST0_STARTING
   */
  subscribe(
    viewer: Ipv4 | undefined,
    seen: MembershipVersion | undefined,
    listener: (event: MembershipEvent) => void,
  ): () => void {
    this.mustBeLoaded();
    return this.#subscribers.follow(viewer, seen && this.#memberTable.since(seen), listener);
  }

  /** host0's own addresses are different now: everybody is told anew. */
  segmentsChanged(): void {
    if (this.#memberTable.loaded) this.#subscribers.tellAll();
  }

  /** The mesh is no more. */
  async forget(): Promise<void> {
    this.close();
    await this.#memberTable.forget();
  }

  close(): void {
    this.#heartbeats.hearing = false;
    this.#subscribers.close();
    this.#memberTable.close();
  }

  async #identify(asker: Ipv6, machine: MachineId | undefined): Promise<{ readonly mac: Mac; readonly ipv4: Ipv4 }> {
    this.mustBeLoaded();
    const sighting = await this.#input.verification.verify(this.network, asker);
    return identifySender(this.network, asker, machine, sighting, this.#memberTable.records);
  }

  /** @param recordFor what to keep, given what is kept now */
  async #enter(
    claim: MemberRecord,
    recordFor: (present: MemberRecord | undefined) => MemberRecord,
    state: NetworkState,
    token?: string,
  ): Promise<void> {
    const present = this.#memberTable.get(claim.ipv6);
    // Nearly every report says what is known already: it waits for nobody.
    if (present !== undefined && sameRecord(present, recordFor(present)))
      return this.#heartbeats.beat(claim.ipv6, state);
    await this.#mutex.take(claim.ipv6, async () => {
      const before = this.#memberTable.get(claim.ipv6);
      const record = recordFor(before);
      if (before === undefined) this.#admit(record, token);
      else this.#refuseDouble(before, claim);
      const known = before ?? this.#recentlyLeft.recordOf(claim.ipv6);
      if (before === undefined || !sameRecord(before, record)) await this.#memberTable.put(record);
      this.#heartbeats.beat(record.ipv6, state);
      if (known?.instance !== undefined && known.instance !== record.instance) this.#input.watch?.booted(this.network);
    });
  }

  /**
   * A sign of life counts when it arrives, whatever comes of the report: host0's kernel may take its time (it answers
   * under a lock of the whole machine), and while a double pulls the kernel's entry to itself, the reports of the machine
   * that was first do not fit the entry. Only that machine knows its instance.
   */
  #beatIfKnown(asker: Ipv6, { ipv4, instance, state }: SelfReport): void {
    const present = this.#memberTable.get(asker);
    if (present?.instance === instance && present.ipv4 === ipv4) this.#heartbeats.beat(asker, state);
  }

  #admit({ machine }: MemberRecord, token: string | undefined): void {
    if (this.#memberTable.size >= MEMBERS_MAX) throw full(this.network, MEMBERS_MAX);
    this.#input.admit({ machine, token });
  }

  async #leave(record: MemberRecord): Promise<void> {
    await this.#mutex.take(record.ipv6, async () => {
      const present = this.#memberTable.get(record.ipv6);
      if (present === undefined) return;
      this.#refuseDouble(present, record);
      await this.#memberTable.remove(record.ipv6);
    });
  }

  /** @throws MESH_MEMBER_DOUBLE when `claim` is another machine than `present`, which is alive */
  #refuseDouble(present: MemberRecord, claim: MemberRecord): void {
    if (present.ipv4 === claim.ipv4) return;
    const { heardMs, moves, since } = this.#heartbeats.of(present.ipv6);
    const nowMs = this.#input.clock.nowMs();
    const unproven = present.instance === undefined && claim.instance === undefined;
    if (!unproven && present.instance === claim.instance) return;
    const double = unproven ? moves.note(nowMs) : nowMs - heardMs < MEMBER_SILENCE_MS;
    if (double) throw doubled(this.network, present, since, claim);
  }

  #loaded(): void {
    // Who follows the journal must not put old and new members together.
    this.#input.journal.renew();
    this.#heartbeats.keep(new Set(this.#memberTable.records.map(({ ipv6 }) => ipv6)));
    this.segmentsChanged();
    this.#input.onLoad();
  }

  #changed(change: MembershipChange, record: MemberRecord, before: MemberRecord | undefined): void {
    const { ipv6 } = record;
    this.#journal.changed(change, record, before, this.#dropping.has(ipv6));
    this.#input.watch?.changed(this.network, change.type);
    if (change.type === 'leave') this.#departs(record);
    else {
      this.#recentlyLeft.remove(ipv6);
      this.#heartbeats.of(ipv6);
    }
    this.#subscribers.tell(change);
  }

  #departs(record: MemberRecord): void {
    const { heardMs } = this.#heartbeats.of(record.ipv6);
    this.#heartbeats.forget(record.ipv6);
    this.#recentlyLeft.add({ record, heardMs, leftMs: this.#input.clock.nowMs() });
  }

  async #drop(ipv6: Ipv6): Promise<void> {
    await this.#mutex.take(ipv6, async () => {
      const record = this.#memberTable.get(ipv6);
      if (record === undefined || !this.#heartbeats.silent(ipv6)) return;
      this.#dropping.add(ipv6);
      try {
        await this.#memberTable.remove(ipv6);
      } finally {
        this.#dropping.delete(ipv6);
      }
    });
  }

  /** Tells the journal of a refusal, once. */
  async #refusing(asker: Ipv6, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      const error = MeshError.from(thrown);
      if (!error.retryable && this.#refusals.note(asker, error, this.#input.clock.nowMs())) {
        this.#journal.refused(asker, error);
      }
      throw error;
    }
  }
}

/** Where an agent reports too, it has the word on the name; a poll from there is only a sign of life. */
function polledRecord(claim: MemberRecord, present: MemberRecord | undefined): MemberRecord {
  if (present === undefined || present.mac !== claim.mac) return claim;
  if (present.instance !== undefined && present.ipv4 === claim.ipv4) return present;
  const machine = claim.machine ?? present.machine;
  return { ...claim, ...(machine !== undefined && { machine }) };
}
