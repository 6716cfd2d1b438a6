/**
 * Makes networks. Those that are asked for at the same time are planned one after the other, each knowing of those before, and are
 * written in shared transactions: a hundred cost a few syncs of the disk, and one look at what depends on networks. A network that
 * cannot be made keeps no other from being made.
 */
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { changedByAnother } from '../../store/record-table.ts';
import { TXN_CHANGES_MAX } from '../../store/store.ts';
import { undoMoves } from '../pools/pool.ts';
import type { KnownNetworks } from './known-networks.ts';
import type { NetworkPlanner } from './network-planner.ts';
import { type NetworkRecord, recordKey } from './network-record.ts';
import type { NewRecord, StoredNetworks } from './stored-networks.ts';

/** A network that is wanted, and whom to tell. */
export interface Creation {
  readonly order: NetworkOrder;
  /** Says what would be made, and makes nothing. */
  readonly dryRun: boolean;
  readonly resolve: (network: Network) => void;
  readonly reject: (thrown: unknown) => void;
}

/** What the networks are made by. */
export interface NetworkCreationsInput {
  readonly stored: StoredNetworks;
  readonly known: KnownNetworks;
  readonly planner: NetworkPlanner;
}

/** What becomes of a network that is made. */
export interface NetworkMaking {
  /** Whether it is started. Absent: yes. */
  readonly isActive?: boolean;
  /** Whether it goes when it is stopped. Absent: no. */
  readonly isTransient?: boolean;
  /** Absent: as it is, at a boot of host0's machine. */
  readonly autostart?: boolean;
  /** Where it is defined. Absent: in the store. */
  readonly source?: Network['source'];
}

interface Planned extends NewRecord {
  readonly creation: Creation;
}

/** Plans and writes. */
export class NetworkCreations {
  readonly #input: NetworkCreationsInput;

  constructor(input: NetworkCreationsInput) {
    this.#input = input;
  }

  /** Makes several networks, and tells of each. Never rejects. */
  async makeAll(creations: readonly Creation[]): Promise<void> {
    const planned: Planned[] = [];
    for (const creation of creations) {
      try {
        const plan = this.#plan(creation.order);
        if (creation.dryRun) creation.resolve(this.#undone(plan).record.network);
        else planned.push({ ...plan, creation });
      } catch (thrown) {
        creation.reject(thrown);
      }
    }
    await Promise.all(transactionsOf(planned).map((part) => this.#write(part)));
  }

  /**
   * Makes one network.
   * @param write writes its record
   * @throws MESH_NET_*, MESH_STORE_*
   */
  async make(
    order: NetworkOrder,
    { dryRun = false, write = (one: NewRecord) => this.#input.stored.put(one.record, one.moves) } = {},
    making: NetworkMaking = {},
  ): Promise<Network> {
    const plan = this.#plan(order, making);
    if (dryRun) return this.#undone(plan).record.network;
    try {
      await write(plan);
    } finally {
      this.#end(plan);
    }
    return plan.record.network;
  }

  /** Holds what the network will have until `#end`. @throws MESH_NET_* */
  #plan(order: NetworkOrder, { isActive = true, isTransient, autostart, source }: NetworkMaking = {}): NewRecord {
    const { known, planner, stored } = this.#input;
    const { network, moves } = planner.create(order, source);
    if (isActive) planner.mustStart(network, moves);
    known.begin(network);
    const record: NetworkRecord = {
      network,
      ...(isTransient && { persistent: false }),
      ...(autostart !== undefined && { autostart }),
      ...(isActive && { activeId: stored.activeIds.take() }),
    };
    return { record, moves };
  }

  #undone(plan: NewRecord): NewRecord {
    undoMoves(plan.moves);
    this.#end(plan);
    return plan;
  }

  #end({ record: { network, activeId } }: NewRecord): void {
    this.#input.known.end(network);
    this.#input.stored.activeIds.done(activeId);
  }

  /** Whether the document in the way is the overwritten record of the same network: `make` writes over that. */
  #isItsOwnPlace({ network }: NewRecord['record'], outcome: boolean | MeshError): boolean {
    return outcome === false && this.#input.stored.wasOverwritten(network);
  }

  async #write(part: readonly Planned[]): Promise<void> {
    const outcome = await this.#input.stored.putAll(part).catch((thrown: unknown) => MeshError.from(thrown));
    for (const plan of part) this.#end(plan);
    // One of the documents is in the way of all, or all are too large together.
    const isFaultOfOne = outcome === false || (outcome !== true && outcome.code === 'MESH_STORE_TOO_LARGE');
    for (const { creation, record } of part) {
      if (outcome === true) creation.resolve(record.network);
      else if (isFaultOfOne && (part.length > 1 || this.#isItsOwnPlace(record, outcome)))
        await this.make(creation.order).then(creation.resolve, creation.reject);
      else creation.reject(outcome === false ? changedByAnother(recordKey(record.network.number)) : outcome);
    }
  }
}

/** The plans in as few transactions as a store takes. */
function transactionsOf(plans: readonly Planned[]): readonly (readonly Planned[])[] {
  const parts: { readonly plans: Planned[]; readonly cursors: Set<string>; weight: number }[] = [];
  for (const plan of plans) {
    // Each cursor is written once.
    const cursors = plan.moves.flatMap(({ cursor }) => (cursor && 'put' in cursor ? [cursor.put] : []));
    const weight = plan.moves.reduce((sum, { changes, compare }) => sum + Math.max(changes.length, compare.length), 1);
    const part = parts.at(-1);
    if (part !== undefined && part.weight + weight + part.cursors.union(new Set(cursors)).size <= TXN_CHANGES_MAX) {
      part.plans.push(plan);
      part.weight += weight;
      for (const cursor of cursors) part.cursors.add(cursor);
    } else parts.push({ plans: [plan], cursors: new Set(cursors), weight });
  }
  return parts.map((part) => part.plans);
}
