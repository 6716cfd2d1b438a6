/**
 * The member table: one mesh's members as the store has them. Only the store's watch changes the table, so that all
 * listeners see the changes in the order in which they became durable.
 */

import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { sameMember } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { MembershipVersion } from '../../protocol/documents/membership.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Entry, Store, Watch, WatchBatch } from '../../store/store.ts';
import {
  formatRecord,
  type MemberRecord,
  memberOf,
  memberStoreKey,
  membersPrefix,
  parseRecord,
} from './member-record.ts';
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

interface Stored {
  readonly record: MemberRecord;
  readonly modRevision: number;
}

/** How long to wait before the next attempt to read the store. */
const RELOAD_MS = 1_000;

/** Reads the members, follows their changes, and writes new ones. */
export class MemberTable {
  readonly #input: MemberTableInput;
  readonly #prefix: string;
  #members = new Map<Ipv6, Stored>();
  readonly #log = new MembershipLog();
  #revision = 0;
  #watch: Watch | undefined;
  #reload: Alarm | undefined;
  #waiting: { readonly revision: number; readonly resolve: () => void }[] = [];
  #loaded = false;
  #closed = false;

  constructor(input: MemberTableInput) {
    this.#input = input;
    this.#prefix = membersPrefix(input.network.id);
  }

  /** Whether the store has been read. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** @throws MESH_HOST0_STARTING until the store has been read */
  mustBeLoaded(): void {
    if (this.#loaded) return;
    const { name } = this.#input.network;
    throw new MeshError('MESH_HOST0_STARTING', `host0 has not read the members of ${name} yet`, {
      object: name,
      retryable: true,
      remedy: 'Ask again in a second.',
    });
  }

  get version(): MembershipVersion {
    return { epoch: this.#input.store.epoch, revision: this.#revision };
  }

  get size(): number {
    return this.#members.size;
  }

  get records(): IteratorObject<MemberRecord> {
    return this.#members.values().map(({ record }) => record);
  }

  get(ipv6: Ipv6): MemberRecord | undefined {
    return this.#members.get(ipv6)?.record;
  }

  /** The changes after `seen`, or undefined when host0 does not remember all of them. */
  since(seen: MembershipVersion): readonly MembershipChange[] | undefined {
    return this.#log.since(seen, this.version);
  }

  /** Reads all members, and keeps trying. Never rejects. */
  async start(): Promise<void> {
    try {
      await this.#load();
    } catch (error) {
      this.#lost(error);
    }
  }

  /**
   * Writes a record. When this resolves, the change is durable and the listeners have been called.
   * @throws MESH_STORE_*
   */
  async put(record: MemberRecord): Promise<void> {
    const key = memberStoreKey(this.#input.network.id, record.ipv6);
    await this.#commit(record.ipv6, { put: key, value: formatRecord(record) });
  }

  /** Deletes a record, with the same promise as `put`. */
  async remove(ipv6: Ipv6): Promise<void> {
    await this.#commit(ipv6, { delete: memberStoreKey(this.#input.network.id, ipv6) });
  }

  /** Closes the table for good, and deletes all its records from the store. */
  async forget(): Promise<void> {
    this.close();
    const { entries } = await this.#input.store.range(this.#prefix);
    if (entries.length > 0) await this.#discard(entries);
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
    this.#reload?.cancel();
    this.#reached(Number.POSITIVE_INFINITY);
  }

  async #load(): Promise<void> {
    const { store, network, onLoad } = this.#input;
    const { entries, revision } = await store.range(this.#prefix);
    if (this.#closed) return;
    const members = new Map<Ipv6, Stored>();
    const foreign: Entry[] = [];
    for (const entry of entries) {
      const record = parseRecord(network, entry.value);
      if (record === undefined) foreign.push(entry);
      else members.set(record.ipv6, { record, modRevision: entry.modRevision });
    }
    this.#members = members;
    this.#log.reset(revision);
    this.#loaded = true;
    this.#reached(revision);
    this.#watch = store.watch(
      this.#prefix,
      revision + 1,
      (batch) => this.#apply(batch),
      (error) => this.#lost(error),
    );
    onLoad();
    if (foreign.length > 0) await this.#discard(foreign);
  }

  async #commit(ipv6: Ipv6, change: { put: string; value: string } | { delete: string }): Promise<void> {
    const key = 'put' in change ? change.put : change.delete;
    const modRevision = this.#members.get(ipv6)?.modRevision ?? 0;
    const { succeeded, revision } = await this.#input.store.txn([{ key, modRevision }], [change]);
    if (!succeeded) {
      throw new MeshError('MESH_STORE_CONFLICT', `${key} was changed by another program`, {
        object: key,
        retryable: true,
      });
    }
    if (revision <= this.#revision || this.#closed) return;
    await new Promise<void>((resolve) => this.#waiting.push({ revision, resolve }));
  }

  #apply({ revision, changes }: WatchBatch): void {
    for (const change of changes) {
      if ('put' in change) this.#applyPut(change.put);
      else this.#applyDelete(change.delete.slice(this.#prefix.length) as Ipv6, revision);
    }
    this.#reached(revision);
  }

  #applyPut({ value, modRevision }: Entry): void {
    const record = parseRecord(this.#input.network, value);
    if (record === undefined) return;
    const before = this.#members.get(record.ipv6)?.record;
    this.#members.set(record.ipv6, { record, modRevision });
    // A reboot changes the record, but nothing that peers see.
    if (before !== undefined && sameMember(before, record)) return;
    this.#publish(before === undefined ? 'join' : 'change', record, modRevision, before);
  }

  #applyDelete(ipv6: Ipv6, revision: number): void {
    const before = this.#members.get(ipv6)?.record;
    if (before === undefined) return;
    this.#members.delete(ipv6);
    this.#publish('leave', before, revision, before);
  }

  #publish(type: MembershipChange['type'], record: MemberRecord, revision: number, before?: MemberRecord): void {
    const change = { type, version: { epoch: this.#input.store.epoch, revision }, member: memberOf(record) };
    this.#log.add(change);
    this.#revision = revision;
    this.#input.onChange(change, record, before);
  }

  #reached(revision: number): void {
    if (Number.isFinite(revision)) this.#revision = Math.max(this.#revision, revision);
    const done = this.#waiting.filter((waiting) => waiting.revision <= revision);
    this.#waiting = this.#waiting.filter((waiting) => waiting.revision > revision);
    for (const { resolve } of done) resolve();
  }

  /** Without the watch the table would not change any more: all members are read again. */
  #lost(error: unknown): void {
    const { clock, journal, network } = this.#input;
    this.#watch?.close();
    if (this.#closed) return;
    journal.failure('members unreadable', error, { network: network.id });
    this.#reload = clock.after(RELOAD_MS, () => void this.start());
  }

  async #discard(entries: readonly Entry[]): Promise<void> {
    await this.#input.store.txn(
      [],
      entries.map(({ key }) => ({ delete: key })),
    );
  }
}
