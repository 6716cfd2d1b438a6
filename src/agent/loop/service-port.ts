/** What the loop needs of the machine besides its kernel: processes and files. */
import type { MeshError } from '../../model/error.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { Item, ItemMap } from '../items/item.ts';
import type { ServiceOperation } from '../items/item-kind.ts';

/** The processes and files of the agent on one machine. */
export interface ServicePort {
  /** Emits when a process has ended by itself, or an order has been carried out. */
  readonly changes: Subscribable<void>;
  /** The processes and files that are ours, and the desired ones among them as they are. */
  observe(desired: ItemMap): Promise<readonly Item[]>;
  /**
   * Performs the operations in order, also after one has failed. Starts and ends are ordered, and not awaited.
   * @returns for each operation, its error or undefined
   */
  apply(operations: readonly ServiceOperation[]): Promise<readonly (MeshError | undefined)[]>;
}
