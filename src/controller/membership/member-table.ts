/**
 * One mesh's members as the store has them. The store's watch is the only thing that changes this picture, so that
 * every listener sees the changes in the order in which they became durable.
 */

import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { sameMember } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
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

export interface MemberTableInput {
  readonly network: Network;
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  /** @param before what was kept of the same member until then */
  readonly onChange: (change: MembershipChange, record: MemberRecord, before: MemberRecord | undefined) => void;
  /** Everything may be different: at the start, and after the watch was lost. */
  readonly onLoad: () => void;
}

interface Stored {
  readonly record: MemberRecord;
  readonly modRevision: number;
}

const RELOAD_MS = 1_000;

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

  /** What came after `seen`, or undefined when that is not known for sure. */
  since(seen: MembershipVersion): readonly MembershipChange[] | undefined {
    return this.#log.since(seen, this.version);
  }

  /** Reads everything, and goes on trying. Never rejects. */
  async start(): Promise<void> {
    try {
      await this.#load();
    } catch (error) {
      this.#lost(error);
    }
  }

  /** Resolves when the change is durable and everybody here has seen it. */
  async put(record: MemberRecord): Promise<void> {
    const key = memberStoreKey(this.#input.network.id, record.ipv6);
    await this.#commit(record.ipv6, { put: key, value: formatRecord(record) });
  }

  async remove(ipv6: Ipv6): Promise<void> {
    await this.#commit(ipv6, { delete: memberStoreKey(this.#input.network.id, ipv6) });
  }

  /** The mesh is no more: its members are forgotten. */
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
    const strangers: Entry[] = [];
    for (const entry of entries) {
      const record = parseRecord(network, entry.value);
      if (record === undefined) strangers.push(entry);
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
    if (strangers.length > 0) await this.#discard(strangers);
  }

  async #commit(ipv6: Ipv6, change: { put: string; value: string } | { delete: string }): Promise<void> {
    const key = 'put' in change ? change.put : change.delete;
    const modRevision = this.#members.get(ipv6)?.modRevision ?? 0;
    const { succeeded, revision } = await this.#input.store.txn([{ key, modRevision }], [change]);
    if (!succeeded) {
      throw new MeshError('MESH_STORE_CONFLICT', `${key} was changed by somebody else`, {
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
    // A reboot changes the record and nothing that others see.
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

  /** Without the watch nothing here would change any more: everything is read anew. */
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
