/**
 * One mesh's membership on host0: its members, recently left members, and the subscribers to its changes. Joins, changes
 * and leaves are in the store. Heartbeats and reported states are in memory only.
 */

import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import type { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { type Member, type MemberAddresses, memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type {
  MembershipEvent,
  MembershipVersion,
  NetworkState,
  SelfReport,
} from '../../protocol/documents/membership.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Store } from '../../store/store.ts';
import { Heartbeats } from './heartbeats.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import { forged, notItsAgent } from './member-error.ts';
import { type MemberRecord, memberOf } from './member-record.ts';
import { MemberReports, type MemberReportsInput } from './member-reports.ts';
import { MemberTable } from './member-table.ts';
import { MembershipJournal } from './membership-journal.ts';
import type { MembershipChange } from './membership-log.ts';
import { RecentlyLeft } from './recently-left.ts';
import { Subscribers } from './subscribers.ts';

/** What a Membership is given by the controller. */
export interface MembershipInput
  extends Pick<
    MemberReportsInput,
    'admit' | 'proofs' | 'mustProve' | 'machines' | 'machineNamed' | 'elsewhere' | 'verification' | 'watch'
  > {
  readonly network: Mesh;
  /** host0's own host name. */
  readonly name: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  /** host0's IPv4 that a node at `viewer` can reach. */
  readonly host0AddressFor: (viewer: Ipv4 | undefined) => Ipv4;
  /** The underlay subnets that host0 forwards VXLAN between. */
  readonly subnets: () => readonly Ipv4Cidr[];
  /** Whether host0 can accept a connection. Absent: always. While it cannot, no member is dropped. @param now an answer of a moment ago is not enough */
  readonly hears?: (now: boolean) => boolean;
  /** Called for each change, before the subscribers. */
  readonly onChange: (change: MembershipChange) => void;
  /** Called when the members have been read: at the start, and again after the store's watch was lost. */
  readonly onLoad: () => void;
}

/** A present or recent member, and when host0 heard from it last. */
export interface MemberPresence {
  readonly record: MemberRecord;
  readonly online: boolean;
  readonly heardMs: number;
  readonly state: NetworkState;
}

/** The members of one mesh. The member table, heartbeats and reports behind it have files of their own. */
export class Membership {
  #network: Mesh;
  readonly #input: MembershipInput;
  readonly #memberTable: MemberTable;
  readonly #host0: MemberAddresses;
  readonly #heartbeats: Heartbeats;
  readonly #journal: MembershipJournal;
  readonly #reports: MemberReports;
  readonly #recentlyLeft = new RecentlyLeft();
  readonly #mutex = new KeyedMutex<Ipv6 | Ipv4>();
  readonly #subscribers: Subscribers;
  /** Members that are being removed because they were silent. */
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
    this.#heartbeats = new Heartbeats({
      clock: input.clock,
      drop: (ipv6) => this.#drop(ipv6),
      failed: (error) => this.#journal.notDropped(error),
      hears: (now) => input.hears?.(now) ?? true,
    });
    this.#memberTable = new MemberTable({
      ...input,
      onChange: (change, record, before) => this.#changed(change, record, before),
      onLoad: () => this.#loaded(),
    });
    this.#reports = new MemberReports({
      ...input,
      network: () => this.#network,
      memberTable: this.#memberTable,
      heartbeats: this.#heartbeats,
      recentlyLeft: this.#recentlyLeft,
      journal: this.#journal,
      mutex: this.#mutex,
    });
  }

  /** The present definition of the mesh. */
  get network(): Mesh {
    return this.#network;
  }

  /** Takes a new definition of the same mesh (not `mustRejoin`): members and streams stay. */
  redefine(network: Mesh): void {
    this.#network = network;
  }

  /** Reads the members from the store, and keeps trying. Until it has succeeded, questions throw MESH_HOST0_STARTING. */
  start(): Promise<void> {
    return this.#memberTable.start();
  }

  get loaded(): boolean {
    return this.#memberTable.loaded;
  }

  /** @throws MESH_HOST0_STARTING */
  mustBeLoaded(): void {
    this.#memberTable.mustBeLoaded();
  }

  /** @throws MESH_HOST0_STARTING */
  get version(): MembershipVersion {
    this.mustBeLoaded();
    return this.#memberTable.version;
  }

  /**
   * Tells whether reports can reach host0 now. While they cannot, silence means nothing and no member is dropped. When they
   * can again, all members get the full nine seconds.
   */
  hear(hearing: boolean): void {
    this.#heartbeats.hearing = hearing;
  }

  /**
   * All members, host0 first.
   * @param viewer underlay address of the asker, if it is known
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

  /** The records of all members but host0. */
  get records(): Iterable<MemberRecord> {
    return this.#memberTable.records;
  }

  /** The underlay subnets that host0 forwards VXLAN between. */
  get segments(): readonly Ipv4Cidr[] {
    return this.#input.subnets();
  }

  /** Whether a member, or host0 itself, has this address. Until host0 has read its members, only host0 has. */
  isMember(address: Ipv6): boolean {
    return address === this.#host0.ipv6 || this.#memberTable.get(address) !== undefined;
  }

  /** Number of members that follow the stream of changes now. */
  get listeners(): number {
    return this.#subscribers.size;
  }

  /** Ethernet addresses of members that left in the last 30 s and are not back. */
  left(): readonly Mac[] {
    return this.#recentlyLeft.lately(this.#input.clock.nowMs());
  }

  /** Present and recent members. */
  presences(): readonly MemberPresence[] {
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

  /** The reports that were refused in the last nine seconds, each as its error. */
  refusals(): readonly MeshError[] {
    return this.#reports.refusals();
  }

  /** Why a report that named this machine was refused in the last nine seconds; undefined if none was. */
  refusalOf(machine: MachineId): MeshError | undefined {
    return this.#reports.refusalOf(machine);
  }

  /**
   * The machine id of a member.
   * @param instance the instance that the asker gives: it must be the one of the member's agent
   * @throws MESH_HOST0_STARTING, MESH_MEMBER_FORGED for an asker that is not a member, is another program, or never gave a machine id
   */
  machineAt(asker: Ipv6, instance?: string): MachineId {
    this.mustBeLoaded();
    const member = this.#memberTable.get(asker);
    if (member?.machine === undefined) throw forged(this.network, asker, 'it is not a member with a machine id');
    if (member.instance !== instance) throw notItsAgent(this.network, member, 'take an inventory');
    return member.machine;
  }

  /**
   * The underlay address that the packets of `asker` come from, as host0's kernel sees it; undefined if it has seen
   * none.
   */
  async whereabouts(asker: Ipv6): Promise<Ipv4 | undefined> {
    return (await this.#input.verification.verify(this.network, asker)).ipv4;
  }

  /** The nonce for the proof in the next report of `asker`. */
  nonceFor(asker: Ipv6): string {
    return this.#input.proofs.nonceFor(this.network, asker);
  }

  /** An agent's report: see `MemberReports.report`. */
  report(asker: Ipv6, report: SelfReport): Promise<void> {
    return this.#reports.report(asker, report);
  }

  /**
   * Counts a sign of life that a member gave on its channel, in place of a report.
   * @returns whether the member has joined by a report with these words. Otherwise it must report: host0's kernel has to see it
   * @throws MESH_HOST0_STARTING
   */
  keepAlive({ machine, instance, ipv4, state }: Pick<SelfReport, 'machine' | 'instance' | 'ipv4' | 'state'>): boolean {
    this.mustBeLoaded();
    const { ipv6 } = memberAddresses(this.network, machine);
    const member = this.#memberTable.get(ipv6);
    const isKnown = member?.machine === machine && member.instance === instance && member.ipv4 === ipv4;
    if (isKnown) this.#heartbeats.beat(ipv6, state);
    return isKnown;
  }

  /**
   * Whether host0's kernel sees the packets of a member elsewhere than the member's last report came from. Then the member must
   * report, and host0 decides.
   */
  async hasMoved(ipv6: Ipv6): Promise<boolean> {
    const { mac, ipv4, localPort } = await this.#input.verification.verify(this.network, ipv6);
    const member = this.#memberTable.get(ipv6);
    if (member === undefined) return false;
    return (
      localPort !== undefined ||
      (ipv4 !== undefined && ipv4 !== member.ipv4) ||
      (mac !== undefined && mac !== member.mac)
    );
  }

  /** The report of a node without an agent: see `MemberReports.poll`. */
  poll(asker: Ipv6, name: string, machine?: MachineId): Promise<void> {
    return this.#reports.poll(asker, name, machine);
  }

  /**
   * Calls `listener` with the changes since `seen`, or with a snapshot if host0 does not remember them; then with every
   * change as it happens.
   * @returns a function that ends the subscription
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

  /** Must be called when host0's own addresses change: all subscribers get a new snapshot. */
  segmentsChanged(): void {
    if (this.#memberTable.loaded) this.#subscribers.tellAll();
  }

  /** Closes the mesh for good, and deletes its members from the store. */
  async forget(): Promise<void> {
    this.close();
    await this.#memberTable.forget();
  }

  close(): void {
    this.#heartbeats.hearing = false;
    this.#subscribers.close();
    this.#memberTable.close();
  }

  #loaded(): void {
    // Subscribers of the journal must not mix members from before with the present ones.
    this.#input.journal.renew();
    this.#heartbeats.keep(new Set(this.#memberTable.records.map(({ ipv6 }) => ipv6)));
    this.segmentsChanged();
    this.#input.onLoad();
  }

  #changed(change: MembershipChange, record: MemberRecord, before: MemberRecord | undefined): void {
    const { ipv6 } = record;
    this.#journal.changed(change, record, before, this.#dropping.has(ipv6));
    this.#input.watch?.changed(this.network, change.type);
    if (change.type === 'leave') this.#departed(record);
    else {
      this.#recentlyLeft.remove(ipv6);
      this.#heartbeats.of(ipv6);
    }
    this.#subscribers.tell(change);
  }

  #departed(record: MemberRecord): void {
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
}
