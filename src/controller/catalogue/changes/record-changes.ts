/** Changes of the records of networks: the record that a command names, what an order makes of it, and the answer. */
import { networkDifferences } from '../../../formats/network/network-differences.ts';
import type { Network } from '../../../model/network/network.ts';
import type { CatalogueChange, CatalogueView, NetworkOrder } from '../../../protocol/documents/catalogue.ts';
import type { Journal } from '../../../protocol/journal/journal.ts';
import { type PoolMove, undoMoves } from '../../pools/pool.ts';
import { type ChangeOptions, recordedChange } from '../catalogue-change.ts';
import { beingDeleted, inUse, notOfStore, unknownNetwork } from '../catalogue-error.ts';
import type { CatalogueViews } from '../catalogue-views.ts';
import type { KnownNetworks } from '../known-networks.ts';
import type { NetworkCreations } from '../network-creations.ts';
import type { NetworkPlanner } from '../network-planner.ts';
import { isActive, liveOf, type NetworkRecord, recordKey } from '../network-record.ts';
import type { NetworkUse } from '../network-use.ts';
import type { StoredNetworks } from '../stored-networks.ts';
import type { ChangeQueue } from './change-queue.ts';
import type { PlannedRecord } from './shared-changes.ts';

/** The parts of the catalogue that changes are made with. */
export interface RecordChangesInput {
  readonly stored: StoredNetworks;
  readonly known: KnownNetworks;
  readonly planner: NetworkPlanner;
  readonly creations: NetworkCreations;
  readonly views: CatalogueViews;
  readonly queue: ChangeQueue;
  readonly journal: Journal;
  readonly use: () => NetworkUse;
  /** The network with this UUID, from whatever source. */
  readonly withUuid: (uuid: string) => Network | undefined;
}

type CatalogueAnswer = Parameters<typeof recordedChange> extends [unknown, ...infer Rest] ? Rest : never;

/** A record that was changed in memory, with the moves of pools that belong to the change. */
export interface ChangedRecord {
  readonly record: NetworkRecord;
  readonly moves: readonly PoolMove[];
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Finds records, and writes them. */
export class RecordChanges {
  readonly input: RecordChangesInput;

  constructor(input: RecordChangesInput) {
    this.input = input;
  }

  /** Carries a change out after those that were asked for before. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return this.input.queue.run(work);
  }

  /**
   * Carries a change out in a transaction that others share which are asked for at the same time.
   * @param plan undefined where the change must be carried out alone
   * @param alone carries the change out alone
   * @param answer of the record that was written
   */
  share(
    plan: () => PlannedRecord | undefined,
    alone: () => Promise<CatalogueChange>,
    answer: (record: NetworkRecord) => CatalogueChange,
  ): Promise<CatalogueChange> {
    const { promise, resolve, reject } = Promise.withResolvers<CatalogueChange>();
    const tell = (record: NetworkRecord) => resolve(answer(record));
    this.input.queue.share({ plan, alone: () => alone().then(resolve, reject), resolve: tell, reject });
    return promise;
  }

  /** The view of the network of this name, id, number, device or UUID. @throws MESH_NET_UNKNOWN */
  called(wanted: string): CatalogueView {
    const { known, views, withUuid } = this.input;
    const network = known.called(wanted) ?? (UUID.test(wanted) ? withUuid(wanted) : undefined);
    const view = network && views.of(network);
    if (view === undefined) throw unknownNetwork(wanted, views.defined);
    return view;
  }

  /** The record of a network that can be changed. @throws MESH_NET_UNKNOWN, MESH_NET_SOURCE */
  storedOf(wanted: string): NetworkRecord {
    const { network } = this.called(wanted);
    const known = this.input.stored.recordOf(network.number);
    const record = known?.network.id === network.id ? known : undefined;
    if (record === undefined) throw notOfStore(network);
    if (record.deleting) throw beingDeleted(network);
    return record;
  }

  /** What was done, or would be. It is told in the journal. */
  answer(...answer: CatalogueAnswer): CatalogueChange {
    return recordedChange(this.input.journal, ...answer);
  }

  /** The record with a live form that is left out where it is the definition. */
  withForms({ live: _, ...record }: NetworkRecord, network: Network, live: Network): NetworkRecord {
    const isOther = isActive(record) && networkDifferences(network, live).length > 0;
    return { ...record, network, ...(isOther && { live }) };
  }

  /** Writes a record, as the one of the document that it is made from. @throws MESH_STORE_* */
  async put(record: NetworkRecord, moves: readonly PoolMove[], { written }: ChangeOptions): Promise<void> {
    const { stored } = this.input;
    if (written === undefined) await stored.put(record, moves);
    else if (written.key === recordKey(record.network.number)) await stored.put(record, moves, written);
    else await stored.put({ ...record, from: written }, moves);
  }

  /**
   * Makes a network, of its definition and of its live form, what an order says.
   * @param isEdit whether parts that the order does not name stay as they are, or become as in a new network
   * @throws MESH_NET_*, MESH_STORE_*
   */
  async replace(
    record: NetworkRecord,
    order: NetworkOrder,
    isEdit: boolean,
    options: ChangeOptions,
  ): Promise<CatalogueChange> {
    const { planner } = this.input;
    const before = liveOf(record);
    const made = planner.change(order, record.network, isEdit, record.live);
    let { network: now } = made;
    const moves = [...made.moves];
    if (record.live !== undefined && isEdit) {
      const live = undoing(moves, () => planner.change(order, before, true, made.network));
      now = live.network;
      moves.push(...live.moves);
    } else if (record.live !== undefined) moves.push(...planner.release(before, made.network));
    const differences = networkDifferences(before, now);
    if (isActive(record) && differences.length > 0) planner.mustStart(now, moves);
    const after = this.withForms(record, made.network, now);
    const isSame = differences.length === 0 && networkDifferences(record.network, made.network).length === 0;
    if (options.dryRun || (isSame && moves.length === 0 && options.written === undefined)) undoMoves(moves);
    else await this.put(after, moves, options);
    return this.answer(isSame ? 'unchanged' : 'changed', now, options, differences);
  }

  /**
   * Lets a network go, which is removed at once when no node has it.
   * @param force unplugs the network's ports first
   * @throws MESH_NET_IN_USE, MESH_STORE_*
   */
  async drop({ activeId: _, ...record }: NetworkRecord, { force = false } = {}): Promise<void> {
    const { stored, use } = this.input;
    const { id } = record.network;
    if (this.portsOf(record, force) > 0) await use().unplug(id);
    if (use().nodes(id)?.length === 0) await stored.remove(record);
    else await stored.put({ ...record, deleting: true });
  }

  /** The record of a network that goes, which is kept until no node has it. @returns undefined where `drop` has more to do @throws MESH_NET_IN_USE */
  droppedRecord({ activeId: _, ...record }: NetworkRecord): NetworkRecord | undefined {
    const hasMore = this.portsOf(record) > 0 || this.input.use().nodes(record.network.id)?.length === 0;
    return hasMore ? undefined : { ...record, deleting: true };
  }

  /** How many ports a network has that is to go. @throws MESH_NET_IN_USE if there are any, and they are not to be unplugged */
  portsOf({ network }: NetworkRecord, force = false): number {
    const ports = this.input.use().ports(network.id);
    if (ports.length > 0 && !force) throw inUse(network, ports);
    return ports.length;
  }
}

/** Runs `work`; when it throws, the moves that were made by then are undone. */
export function undoing<T>(moves: readonly PoolMove[], work: () => T): T {
  try {
    return work();
  } catch (error) {
    undoMoves(moves);
    throw error;
  }
}
