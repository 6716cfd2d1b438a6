/**
 * Changes of several networks that are asked for at the same time. They are planned one after the other, each knowing of those before,
 * and are written in shared transactions: a hundred cost a few syncs of the disk, and one look at what depends on networks. A change
 * that fails keeps no other from being made.
 */
import { MeshError } from '../../../model/error.ts';
import { changedByAnother } from '../../../store/record-table.ts';
import { TXN_CHANGES_MAX } from '../../../store/store.ts';
import { undoMoves } from '../../pools/pool.ts';
import { type NetworkRecord, recordKey } from '../network-record.ts';
import type { NewRecord, StoredNetworks } from '../stored-networks.ts';

/** A record that a change writes, with what the change holds until it is written. */
export interface PlannedRecord extends NewRecord {
  /** Gives up what the plan holds. Called once, also where the record was not written. */
  readonly end: () => void;
}

/** A change of one network that may share its transaction, and whom to tell. */
export interface SharedChange {
  /** @returns undefined where the change must be carried out alone @throws what `reject` is then told */
  readonly plan: () => PlannedRecord | undefined;
  /** Carries the change out by itself, after those before it. */
  readonly alone: () => Promise<void>;
  readonly resolve: (record: NetworkRecord) => void;
  readonly reject: (thrown: unknown) => void;
}

interface Planned extends PlannedRecord {
  readonly change: SharedChange;
}

/** Plans and writes. */
export class SharedChanges {
  readonly #stored: Pick<StoredNetworks, 'putAll' | 'wasOverwritten'>;

  constructor(stored: Pick<StoredNetworks, 'putAll' | 'wasOverwritten'>) {
    this.#stored = stored;
  }

  /** Carries changes out in their order, and tells of each. Never rejects. */
  async carryOut(changes: readonly SharedChange[]): Promise<void> {
    let batch: Planned[] = [];
    const flush = async () => {
      const part = batch;
      batch = [];
      await Promise.all(transactionsOf(part).map((one) => this.#write(one)));
    };
    for (const change of changes) {
      let planned = planOf(change);
      // The answer may depend on a change before it, which is written first.
      if (batch.length > 0 && (planned instanceof Error || concernsOneOf(batch, planned))) {
        if (!(planned instanceof Error)) giveUp(planned);
        await flush();
        planned = planOf(change);
      }
      if (planned instanceof Error) change.reject(planned);
      else if (planned !== undefined) batch.push({ ...planned, change });
      else {
        await flush();
        await change.alone();
      }
    }
    await flush();
  }

  async #write(part: readonly Planned[]): Promise<void> {
    const outcome = await this.#stored.putAll(part).catch((thrown: unknown) => MeshError.from(thrown));
    for (const { end } of part) end();
    // One of the documents is in the way of all, or all are too large together.
    const isFaultOfOne = outcome === false || (outcome !== true && outcome.code === 'MESH_STORE_TOO_LARGE');
    for (const { change, record } of part) {
      if (outcome === true) change.resolve(record);
      else if (isFaultOfOne && (part.length > 1 || this.#isItsOwnPlace(record, outcome))) await change.alone();
      else change.reject(outcome === false ? changedByAnother(recordKey(record.network.number)) : outcome);
    }
  }

  /** Whether the document in the way is the overwritten record of the same network: `alone` writes over that. */
  #isItsOwnPlace({ network }: NetworkRecord, outcome: boolean | MeshError): boolean {
    return outcome === false && this.#stored.wasOverwritten(network);
  }
}

function planOf(change: SharedChange): PlannedRecord | undefined | Error {
  try {
    return change.plan();
  } catch (thrown) {
    return thrown instanceof Error ? thrown : MeshError.from(thrown);
  }
}

function giveUp(planned: PlannedRecord | undefined): void {
  if (planned === undefined) return;
  undoMoves(planned.moves);
  planned.end();
}

/** Whether a change is one of a network that a change before it changes, or that names the same UUID. */
function concernsOneOf(batch: readonly Planned[], planned: PlannedRecord | undefined): boolean {
  if (planned === undefined) return false;
  const { number, uuid } = planned.record.network;
  return batch.some(
    ({ record: { network } }) => network.number === number || (uuid !== undefined && network.uuid === uuid),
  );
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
