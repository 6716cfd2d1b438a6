/** The networks of the store, in memory, and their changes: each is one transaction with the numbers and prefixes that it moves. */
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import {
  hexNumber,
  type NetworkId,
  type NetworkNumber,
  type NumberRules,
  networkIdOf,
} from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { Collection } from '../../store/collection.ts';
import { changedByAnother, RecordTable, type TableChange } from '../../store/record-table.ts';
import type { Change, Store } from '../../store/store.ts';
import { NumberPool } from '../pools/number-pool.ts';
import { type PoolMove, takeAndGive } from '../pools/pool.ts';
import { PrefixPool } from '../pools/prefix-pool.ts';
import { ActiveIds } from './active-ids.ts';
import { type LifecycleEvent, lifecycleOf } from './network-lifecycle.ts';
import { isOfLaterVersion, NETWORK_RECORDS, type NetworkRecord, type WrittenDocument } from './network-record.ts';
import { NO_BLOCKS, type SubnetBlocks } from './subnet-blocks.ts';

/** Where the networks are, and what is called when they change. */
export interface StoredNetworksInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Absent: no address pool has the subnets of networks. */
  readonly blocks?: SubnetBlocks;
  /** Which numbers are given to networks. Absent: those of DEFAULT_NUMBER_RULES. */
  readonly numbers?: NumberRules;
  /** Called after the first look at the store, and after each change. @param change absent: all networks may be others */
  readonly onChange: (change?: StoredChange) => void;
}

/** What a transaction has changed. */
export interface StoredChange {
  readonly changed: readonly NetworkRecord[];
  readonly gone: readonly NetworkId[];
}

/** A record to be made, with the moves of pools that are part of its transaction. */
export interface NewRecord {
  readonly record: NetworkRecord;
  readonly moves: readonly PoolMove[];
}

/** Keeps the networks of the store. */
export class StoredNetworks {
  readonly numbers: NumberPool;
  readonly prefixes: PrefixPool;
  readonly blocks: SubnetBlocks;
  readonly #input: StoredNetworksInput;
  readonly #collection: Collection<NetworkRecord>;
  readonly #table: RecordTable<NetworkRecord>;
  /** The names of records that host0 itself is removing. */
  readonly #removing = new Set<string>();
  readonly activeIds = new ActiveIds();
  /** The numbers of networks that are being deleted. */
  readonly #deleting = new Set<NetworkNumber>();
  /** Numbers that had an owner and no record at the last look at the whole store, or have lost theirs since. */
  readonly #ownerless = new Set<NetworkNumber>();
  readonly #lifecycle = new Signal<LifecycleEvent>();
  /** Emits what becomes of networks, after `onChange`. */
  readonly lifecycle: Subscribable<LifecycleEvent> = this.#lifecycle;
  /** What became of networks while the store could not be watched. Told when the store was read to the end. */
  readonly #untold: LifecycleEvent[] = [];
  /** Whether the change under way defines a network. One change is carried out after the other. */
  #isDefining = false;
  /** What the transaction has changed that is being taken in. */
  readonly #changed: TableChange<NetworkRecord>[] = [];

  private constructor(input: StoredNetworksInput, numbers: NumberPool, prefixes: PrefixPool) {
    this.#input = input;
    this.numbers = numbers;
    this.prefixes = prefixes;
    this.blocks = input.blocks ?? NO_BLOCKS;
    this.#collection = new Collection(input.store, NETWORK_RECORDS);
    this.#table = new RecordTable({
      collection: this.#collection,
      clock: input.clock,
      onChange: (change) => void this.#changed.push(change),
      onBatch: () => this.#take(this.#changed.splice(0)),
      onLoad: async (_, before) => {
        this.#countAll();
        if (before !== undefined) this.#untold.push(...this.#missed(before));
        await this.#takeUnclaimed(this.records);
        input.onChange();
        for (const event of this.#untold.splice(0)) this.#lifecycle.emit(event);
      },
      onFailure: (error) => input.journal.failure('networks unreadable', error),
    });
  }

  /** Reads the pools. @throws MESH_STORE_BROKEN */
  static async open(input: StoredNetworksInput): Promise<StoredNetworks> {
    const [numbers, prefixes] = await Promise.all([
      NumberPool.open(input.store, { clock: input.clock, ...(input.numbers && { rules: input.numbers }) }),
      PrefixPool.open(input.store),
    ]);
    return new StoredNetworks(input, numbers, prefixes);
  }

  /** Reads the networks, and keeps trying. Never rejects. */
  start(): Promise<void> {
    return this.#table.start();
  }

  get loaded(): boolean {
    return this.#table.loaded;
  }

  /** The store's revision that the records show. */
  get revision(): number {
    return this.#table.revision;
  }

  /** All records, in the order in which they were made. */
  get records(): readonly NetworkRecord[] {
    return [...this.#table.records];
  }

  /** The record of a network; undefined if the store has none. */
  recordOf(number: NetworkNumber): NetworkRecord | undefined {
    return this.#table.get(hexNumber(number));
  }

  /** The records of the networks that are being deleted. */
  get deleting(): readonly NetworkRecord[] {
    return Array.from(this.#deleting).flatMap((number) => this.recordOf(number) ?? []);
  }

  /** Whether the table shows a record as a transaction has written it. */
  isShown(number: NetworkNumber, modRevision: number): boolean {
    return this.#table.modRevisionOf(hexNumber(number)) === modRevision;
  }

  /** Whether the place of a number has a document that is not a record: the number is given to no other network. */
  isSpoilt(number: number): boolean {
    return this.#table.spoilt.has(number.toString(16));
  }

  /**
   * Writes a record, over the one of the same number if there is one.
   * @param over the document in its place that is not a record
   * @throws MESH_STORE_*
   */
  async put(record: NetworkRecord, moves: readonly PoolMove[] = [], over?: WrittenDocument): Promise<void> {
    const { network } = record;
    const wasOverwritten = over === undefined && this.wasOverwritten(network);
    const known = over?.modRevision ?? this.#table.modRevisionOf(hexNumber(network.number));
    const modRevision = wasOverwritten ? await this.#revisionUnder(network) : known;
    await this.#commit(network, modRevision, this.#collection.put(record), moves);
  }

  /** As `put`, and tells of the change as of a definition. @throws MESH_STORE_* */
  async define(record: NetworkRecord, moves: readonly PoolMove[]): Promise<void> {
    this.#isDefining = true;
    try {
      await this.put(record, moves);
    } finally {
      this.#isDefining = false;
    }
  }

  /**
   * Writes several new records in one transaction.
   * @returns whether they were written; if not, one of them may still be
   * @throws MESH_STORE_*
   */
  async putAll(records: readonly NewRecord[]): Promise<boolean> {
    const changes = records.map(({ record }) => this.#collection.put(record));
    const compare = records.map(({ record: { network } }) => {
      const name = hexNumber(network.number);
      return this.#collection.at(name, this.#table.modRevisionOf(name));
    });
    const moves = records.flatMap((one) => one.moves);
    const { succeeded, revision } = await takeAndGive(this.#input.store, moves, compare, changes);
    if (succeeded) await this.#table.shows(revision);
    return succeeded;
  }

  /**
   * Writes the record of a number again, over a document in its place that is none: it would be lost when host0 ends.
   * @returns the revision of the record; undefined when there is none
   * @throws MESH_STORE_*
   */
  async keep(number: NetworkNumber, over: WrittenDocument): Promise<number | undefined> {
    const name = hexNumber(number);
    const record = this.#table.get(name);
    if (record === undefined) return undefined;
    await this.put(record, [], over);
    return this.#table.modRevisionOf(name);
  }

  /**
   * The numbers of networks whose record became a document that is none while host0 was away. Nodes may have these networks. The
   * documents of other numbers never were networks.
   */
  get unreadable(): readonly NetworkNumber[] {
    return Array.from(this.#table.spoilt, (name) => Number.parseInt(name, 16) as NetworkNumber).filter(
      (number) => this.#table.get(number.toString(16)) === undefined && this.numbers.ownerOf(number) !== undefined,
    );
  }

  /** Whether the record of a network of this number and name was overwritten while host0 was away. */
  wasOverwritten({ number, name }: Pick<Network, 'number' | 'name'>): boolean {
    return this.unreadable.includes(number) && this.numbers.ownerOf(number) === ownerOf(name);
  }

  /** Removes a record, and gives its number, its prefix and its blocks of address pools back. @throws MESH_STORE_* */
  async remove({ network, live }: NetworkRecord): Promise<void> {
    const name = hexNumber(network.number);
    const moves = [
      this.numbers.give(network.number),
      ...this.givenPrefix(network),
      ...(live !== undefined && prefixOf(live) !== prefixOf(network) ? this.givenPrefix(live) : []),
      ...this.blocks.leaveAll(network.id),
    ];
    this.#removing.add(name);
    try {
      await this.#commit(network, this.#table.modRevisionOf(name), this.#collection.remove(name), moves);
    } finally {
      this.#removing.delete(name);
    }
  }

  /** Gives the prefix of a network back, if the pool gave it. */
  givenPrefix(network: Network): readonly PoolMove[] {
    const prefix = prefixOf(network);
    return prefix !== undefined && this.prefixes.has(prefix) ? [this.prefixes.give(prefix)] : [];
  }

  /** The numbers that are taken and have no record: those of networks whose document was deleted while host0 was away. */
  get lost(): readonly NetworkNumber[] {
    if (!this.loaded) return [];
    return [...this.#ownerless].filter(
      (number) =>
        this.recordOf(number) === undefined && !this.isSpoilt(number) && this.numbers.ownerOf(number) !== undefined,
    );
  }

  /** Frees a number of `lost`. */
  async free(number: NetworkNumber): Promise<void> {
    const moves = [this.numbers.give(number), ...this.blocks.leaveAll(networkIdOf(number))];
    await takeAndGive(this.#input.store, moves, [], []);
  }

  close(): void {
    this.#table.close();
  }

  /** The revision of what a record became while host0 was away; 0 for one of a later version: nothing is written over that. */
  async #revisionUnder({ number }: Network): Promise<number> {
    const entry = await this.#input.store.get(this.#collection.keyOf(hexNumber(number)));
    return entry === undefined || isOfLaterVersion(entry.value) ? 0 : entry.modRevision;
  }

  async #commit(network: Network, modRevision: number, change: Change, moves: readonly PoolMove[]): Promise<void> {
    const name = hexNumber(network.number);
    const { store } = this.#input;
    const result = await takeAndGive(store, moves, [this.#collection.at(name, modRevision)], [change]);
    if (!result.succeeded) throw changedByAnother(this.#collection.keyOf(name));
    await this.#table.shows(result.revision);
  }

  #take(changes: readonly TableChange<NetworkRecord>[]): void {
    const changed: NetworkRecord[] = [];
    const gone: NetworkId[] = [];
    for (const { name, before, after } of changes) {
      this.#count(before, after);
      if (after !== undefined) changed.push(after);
      else if (before !== undefined && this.#removing.has(name)) gone.push(before.network.id);
      else if (before !== undefined) this.#putAgain(before);
      if (before === undefined && after !== undefined) this.#background(this.#takeUnclaimed([after]));
    }
    const events = changes.flatMap(({ before, after }) => lifecycleOf(before, after, this.#isDefining));
    if (changed.length + gone.length > 0) this.#input.onChange({ changed, gone });
    for (const event of events) this.#lifecycle.emit(event);
  }

  /** What became of networks while the store could not be watched. */
  #missed(before: ReadonlyMap<string, NetworkRecord>): readonly LifecycleEvent[] {
    const after = new Map(Array.from(this.#table.records, (record) => [hexNumber(record.network.number), record]));
    const names = new Set([...before.keys(), ...after.keys()]);
    return Array.from(names).flatMap((name) => lifecycleOf(before.get(name), after.get(name)));
  }

  /**
   * A document that was deleted by hand is written again, as that of a network that is being deleted. The form that nodes have stays in
   * the record: its prefix and blocks are given back with the record.
   */
  #putAgain({ activeId: _, ...rest }: NetworkRecord): void {
    this.#ownerless.add(rest.network.number);
    this.#background(this.put({ ...rest, deleting: true }));
  }

  #countAll(): void {
    this.activeIds.clear();
    this.#deleting.clear();
    this.#ownerless.clear();
    for (const record of this.#table.records) this.#count(undefined, record);
    for (const number of this.numbers.taken as NetworkNumber[])
      if (this.recordOf(number) === undefined) this.#ownerless.add(number);
  }

  #count(before: NetworkRecord | undefined, after: NetworkRecord | undefined): void {
    this.activeIds.hold(after?.activeId);
    this.activeIds.leave(before?.activeId);
    if (after?.deleting) this.#deleting.add(after.network.number);
    else if (before !== undefined) this.#deleting.delete(before.network.number);
  }

  /** Takes the numbers of documents that were written by hand. */
  async #takeUnclaimed(records: readonly NetworkRecord[]): Promise<void> {
    const { store } = this.#input;
    for (const { network } of records) {
      if (this.numbers.ownerOf(network.number) !== undefined) continue;
      await takeAndGive(store, [this.numbers.take(network.number, ownerOf(network.name))], [], []);
    }
  }

  #background(work: Promise<unknown>): void {
    work.catch((thrown: unknown) => this.#input.journal.failure('network not written', MeshError.from(thrown)));
  }
}

/** The prefix from which the nodes of a network have their addresses. */
export function prefixOf({ hostAddress }: Network): Ipv6Cidr | undefined {
  return hostAddress.kind === 'derived' ? hostAddress.prefix : undefined;
}

/** What stands in the pools beside the number and the prefix of a network. */
export function ownerOf(name: string): string {
  return `network ${name}`;
}
