/** The member table: one mesh's members as the store has them, and the last changes of them. */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { sameMember } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { MembershipVersion } from '../../protocol/documents/membership.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { Collection } from '../../store/collection.ts';
import { RecordTable, type TableChange } from '../../store/record-table.ts';
import type { Store } from '../../store/store.ts';
import { type MemberRecord, memberOf, memberRecords } from './member-record.ts';
import { type MembershipChange, MembershipLog } from './membership-log.ts';

/** Where a member table reads from, and what it calls. */
export interface MemberTableInput {
  readonly network: Mesh;
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Called for each join, change and leave. @param before the record of the same member until then */
  readonly onChange: (change: MembershipChange, record: MemberRecord, before: MemberRecord | undefined) => void;
  /** Called when all members have been read: at the start, and after the watch was lost. Everything may be different. */
  readonly onLoad: () => void;
}

/** Reads the members, follows their changes, and writes new ones. */
export class MemberTable {
  readonly #input: MemberTableInput;
  readonly #table: RecordTable<MemberRecord>;
  readonly #log = new MembershipLog();

  constructor(input: MemberTableInput) {
    this.#input = input;
    const { network, store, clock, journal } = input;
    this.#table = new RecordTable({
      collection: new Collection(store, memberRecords(network)),
      clock,
      onChange: (change) => this.#changed(change),
      onLoad: (revision) => this.#loaded(revision),
      onFailure: (error) => journal.failure('members unreadable', error, { network: network.id }),
    });
  }

  /** Whether the store has been read. */
  get loaded(): boolean {
    return this.#table.loaded;
  }

  /** @throws MESH_HOST0_STARTING until the store has been read */
  mustBeLoaded(): void {
    if (this.loaded) return;
    const { name } = this.#input.network;
    throw new MeshError('MESH_HOST0_STARTING', `host0 has not read the members of ${name} yet`, {
      object: name,
      retryable: true,
      remedy: 'Ask again in a second.',
    });
  }

  get version(): MembershipVersion {
    return this.#versionAt(this.#table.revision);
  }

  get size(): number {
    return this.#table.size;
  }

  get records(): IteratorObject<MemberRecord> {
    return this.#table.records;
  }

  get(ipv6: Ipv6): MemberRecord | undefined {
    return this.#table.get(ipv6);
  }

  /** The changes after `seen`, or undefined when host0 does not remember all of them. */
  since(seen: MembershipVersion): readonly MembershipChange[] | undefined {
    return this.#log.since(seen, this.version);
  }

  /** Reads all members, and keeps trying. Never rejects. */
  start(): Promise<void> {
    return this.#table.start();
  }

  /**
   * Writes a record. When this resolves, the change is durable and the listeners have been called.
   * @throws MESH_STORE_*
   */
  put(record: MemberRecord): Promise<void> {
    return this.#table.put(record);
  }

  /** Deletes a record, with the same promise as `put`. */
  remove(ipv6: Ipv6): Promise<void> {
    return this.#table.remove(ipv6);
  }

  /** Closes the table for good, and deletes all its records from the store. */
  forget(): Promise<void> {
    return this.#table.forget();
  }

  close(): void {
    this.#table.close();
  }

  async #loaded(revision: number): Promise<void> {
    this.#log.reset(revision);
    this.#input.onLoad();
    await this.#table.discard(this.#table.spoilt);
  }

  #changed({ after, before, revision }: TableChange<MemberRecord>): void {
    // A reboot changes the record, but nothing that peers see.
    if (before !== undefined && after !== undefined && sameMember(before, after)) return;
    const record = after ?? before;
    if (record === undefined) return;
    const type = after === undefined ? 'leave' : before === undefined ? 'join' : 'change';
    const change = { type, version: this.#versionAt(revision), member: memberOf(record) } as const;
    this.#log.add(change);
    this.#input.onChange(change, record, before);
  }

  #versionAt(revision: number): MembershipVersion {
    return { epoch: this.#input.store.epoch, revision };
  }
}
