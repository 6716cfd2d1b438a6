/** Networks that were deleted, and that no node has any more: their records go, and their numbers are free. */
import { type NetworkId, type NetworkNumber, networkIdOf } from '../../model/network/number.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { NetworkUse } from './network-use.ts';
import type { StoredNetworks } from './stored-networks.ts';

/** What the networks are freed by. */
export interface UnusedNetworksInput {
  readonly stored: Pick<StoredNetworks, 'deleting' | 'lost' | 'recordOf' | 'remove' | 'free'>;
  readonly use: () => NetworkUse;
  readonly journal: Journal;
  /** Carries a change out after those that were asked for before. */
  readonly inOrder: (work: () => Promise<void>) => Promise<void>;
}

/** Frees them. */
export class UnusedNetworks {
  readonly #input: UnusedNetworksInput;
  /** Those that are being freed. */
  readonly #freeing = new Set<NetworkNumber>();

  constructor(input: UnusedNetworksInput) {
    this.#input = input;
  }

  /** Removes the records of deleted networks that no node has, and frees their numbers. */
  free(): void {
    const { stored, use } = this.#input;
    const unused = (id: NetworkId) => use().nodes(id)?.length === 0;
    for (const record of stored.deleting) {
      const { id, number } = record.network;
      if (!unused(id)) continue;
      this.#free(number, async () => {
        // A network may have been made in the place of this one meanwhile.
        const now = stored.recordOf(number);
        if (now?.deleting && unused(id)) await stored.remove(now);
      });
    }
    for (const number of stored.lost) {
      if (!unused(networkIdOf(number))) continue;
      this.#free(number, async () => {
        // The number may have been that of a network whose making was under way.
        if (stored.lost.includes(number)) await stored.free(number);
      });
    }
  }

  /** On a failure, the next change tries again. */
  #free(number: NetworkNumber, work: () => Promise<void>): void {
    if (this.#freeing.has(number)) return;
    this.#freeing.add(number);
    this.#input
      .inOrder(work)
      .catch((thrown: unknown) => this.#input.journal.failure('network not freed', thrown))
      .finally(() => this.#freeing.delete(number));
  }
}
