/** Makes networks. What a network will have is held from its plan until its record is written: no other one gets it meanwhile. */
import type { Network } from '../../model/network/network.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { undoMoves } from '../pools/pool.ts';
import type { PlannedRecord } from './changes/shared-changes.ts';
import type { KnownNetworks } from './known-networks.ts';
import type { NetworkPlanner } from './network-planner.ts';
import type { NetworkRecord } from './network-record.ts';
import type { NewRecord, StoredNetworks } from './stored-networks.ts';

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

/** Plans and writes. */
export class NetworkCreations {
  readonly #input: NetworkCreationsInput;

  constructor(input: NetworkCreationsInput) {
    this.#input = input;
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
    const plan = this.plan(order, making);
    try {
      if (dryRun) undoMoves(plan.moves);
      else await write(plan);
    } finally {
      plan.end();
    }
    return plan.record.network;
  }

  /** The record of a network that is to be made. @throws MESH_NET_* */
  plan(order: NetworkOrder, { isActive = true, isTransient, autostart, source }: NetworkMaking = {}): PlannedRecord {
    const { known, planner, stored } = this.#input;
    const { network, moves } = planner.create(order, source);
    if (isActive) planner.mustStart(network, moves);
    known.begin(network);
    const activeId = isActive ? stored.activeIds.take() : undefined;
    const record: NetworkRecord = {
      network,
      ...(isTransient && { persistent: false }),
      ...(autostart !== undefined && { autostart }),
      ...(activeId !== undefined && { activeId }),
    };
    const end = () => {
      known.end(network);
      stored.activeIds.done(activeId);
    };
    return { record, moves, end };
  }
}
