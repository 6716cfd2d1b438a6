/** Networks that are defined by documents which people write into the store (written-networks.ts). */
import { isNetworkNumber, type NetworkNumber } from '../../../model/network/number.ts';
import type { CatalogueChange, NetworkOrder } from '../../../protocol/documents/catalogue.ts';
import { beingDeleted, numberTaken } from '../catalogue-error.ts';
import { isTakenUp, recordKey, type WrittenDocument } from '../network-record.ts';
import type { NetworkDefinitions } from './network-definitions.ts';
import type { RecordChanges } from './record-changes.ts';

/** Takes the documents up. */
export class WrittenDefinitions {
  readonly #changes: RecordChanges;
  readonly #definitions: Pick<NetworkDefinitions, 'make'>;

  constructor(changes: RecordChanges, definitions: Pick<NetworkDefinitions, 'make'>) {
    this.#changes = changes;
    this.#definitions = definitions;
  }

  /** Takes up a document. @throws MESH_NET_*, MESH_USAGE */
  take(order: NetworkOrder, written: WrittenDocument): Promise<CatalogueChange> {
    return this.#changes.run(async () => {
      const { stored } = this.#changes.input;
      const { number } = order;
      const record = isNetworkNumber(number) ? stored.recordOf(number) : undefined;
      if (record === undefined) return await this.#definitions.make(order, { written });
      const { network, from, deleting } = record;
      if (deleting) throw beingDeleted(network);
      const isItsOwn = written.key === recordKey(network.number) || written.key === from?.key;
      if (!isItsOwn) throw numberTaken(String(order.name), network);
      if (isTakenUp(written, from)) {
        if (from?.digest === undefined) await stored.put({ ...record, from: written });
        return this.#changes.answer('unchanged', network, {});
      }
      return await this.#changes.replace(record, order, false, { written });
    });
  }

  /** Writes a record again over a document that is none. @returns its revision @throws MESH_STORE_* */
  keep(number: NetworkNumber, written: WrittenDocument): Promise<number | undefined> {
    return this.#changes.run(() => this.#changes.input.stored.keep(number, written));
  }

  /** Deletes the networks that were made from documents which are not there any more. */
  drop(present: ReadonlySet<string>): Promise<void> {
    return this.#changes.run(async () => {
      const { stored } = this.#changes.input;
      for (const { activeId: _, ...record } of stored.records) {
        const { from, deleting } = record;
        if (from !== undefined && !present.has(from.key) && !deleting) await stored.put({ ...record, deleting: true });
      }
    });
  }
}
