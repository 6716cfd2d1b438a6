/** The networks of the store, in memory, and their changes: each is one transaction with the numbers and prefixes that it moves. */
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { hexNumber, type NetworkNumber, type NumberRules, networkIdOf } from '../../model/network/number.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { Collection } from '../../store/collection.ts';
import { changedByAnother, RecordTable, type TableChange } from '../../store/record-table.ts';
import type { Change, Store } from '../../store/store.ts';
import { NumberPool } from '../pools/number-pool.ts';
import { type PoolMove, takeAndGive } from '../pools/pool.ts';
import { PrefixPool } from '../pools/prefix-pool.ts';
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
  /** Called after the first look at the store, and after each change. */
  readonly onChange: () => void;
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

  private constructor(input: StoredNetworksInput, numbers: NumberPool, prefixes: PrefixPool) {
    this.#input = input;
    this.numbers = numbers;
    this.prefixes = prefixes;
    this.blocks = input.blocks ?? NO_BLOCKS;
    this.#collection = new Collection(input.store, NETWORK_RECORDS);
    this.#table = new RecordTable({
      collection: this.#collection,
      clock: input.clock,
      onChange: (change) => this.#changed(change),
      onLoad: async () => {
        await this.#takeUnclaimed();
        input.onChange();
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
  async remove({ network }: NetworkRecord): Promise<void> {
    const name = hexNumber(network.number);
    const moves = [
      this.numbers.give(network.number),
      ...this.givenPrefix(network),
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
    const known = new Set<string>([
      ...this.records.map(({ network }) => hexNumber(network.number)),
      ...this.#table.spoilt,
    ]);
    return this.numbers.taken
      .filter((number) => !known.has(number.toString(16)))
      .map((number) => number as NetworkNumber);
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

  /** A document that was deleted by hand is written again, as that of a network that is being deleted. */
  #changed({ name, before, after }: TableChange<NetworkRecord>): void {
    if (after === undefined && before !== undefined && !this.#removing.has(name)) {
      const { activeId: _, ...rest } = before;
      this.#background(this.put({ ...rest, deleting: true }));
      return;
    }
    if (before === undefined) this.#background(this.#takeUnclaimed());
    this.#input.onChange();
  }

  /** Takes the numbers of documents that were written by hand. */
  async #takeUnclaimed(): Promise<void> {
    const { store } = this.#input;
    for (const { network } of this.records) {
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
