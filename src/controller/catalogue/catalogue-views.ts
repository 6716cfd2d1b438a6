/** What the catalogue says of its networks. */
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { CatalogueView, NetworkActivity } from '../../protocol/documents/catalogue.ts';
import type { CatalogueState } from './catalogue-state.ts';
import { isActive, type NetworkRecord } from './network-record.ts';
import type { NetworkUse } from './network-use.ts';

/** Where the answers come from. */
export interface CatalogueViewsInput {
  readonly state: Pick<CatalogueState, 'inForce' | 'refused'>;
  /** The records of the store. */
  readonly stored: {
    readonly records: readonly NetworkRecord[];
    recordOf(number: Network['number']): NetworkRecord | undefined;
  };
  readonly files: () => readonly Network[];
  readonly use: () => NetworkUse;
}

/** All networks with what is so of each, by number: made once for all who ask before the next change. */
export class CatalogueViews {
  readonly #input: CatalogueViewsInput;
  #networks: readonly Network[] | undefined;
  #active: readonly Network[] | undefined;
  #given: readonly Network[] | undefined;

  constructor(input: CatalogueViewsInput) {
    this.#input = input;
  }

  /** Networks are others than before. */
  changed(): void {
    this.#networks = undefined;
    this.#active = undefined;
    this.#given = undefined;
  }

  /** All views, by number. */
  all(): CatalogueView[] {
    return this.defined.flatMap((network) => this.of(network) ?? []);
  }

  /** The active networks, by number. The same list until networks are others. */
  get active(): readonly Network[] {
    this.#active ??= this.defined.flatMap(({ id }) => this.activeOf(id) ?? []);
    return this.#active;
  }

  /** The active networks that no file defines. */
  get given(): readonly Network[] {
    this.#given ??= this.active.filter(({ source }) => source !== 'file');
    return this.#given;
  }

  /** The view of a network; undefined for one whose document is gone. */
  of({ id, number, source }: Network): CatalogueView | undefined {
    const { state, stored, files } = this.#input;
    const refusal = state.refused.get(id);
    if (refusal !== undefined) {
      return { network: refusal.network, activity: { phase: 'refused', error: refusal.error.toJSON() } };
    }
    const record = recordOfId(stored, id, number);
    const network = state.inForce(id) ?? record?.network ?? files().find((file) => file.id === id);
    if (network === undefined || (record === undefined && source !== 'file')) return undefined;
    return record === undefined ? { network, activity: { phase: 'active' } } : this.#viewOf(record, network);
  }

  /** A network while it is active. */
  activeOf(id: NetworkId): Network | undefined {
    const { state, stored } = this.#input;
    const network = state.refused.has(id) ? undefined : state.inForce(id);
    if (network === undefined) return undefined;
    const record = recordOfId(stored, id, network.number);
    if (record === undefined) return network.source === 'file' ? network : undefined;
    return isActive(record) ? network : undefined;
  }

  /** All networks as they are defined, by number. */
  get defined(): readonly Network[] {
    const { stored, files } = this.#input;
    this.#networks ??= [...stored.records.map(({ network }) => network), ...files()].sort(
      (a, b) => a.number - b.number,
    );
    return this.#networks;
  }

  #viewOf(record: NetworkRecord, network: Network): CatalogueView {
    const { live, persistent, autostart } = record;
    return {
      network,
      activity: this.#activityOf(record),
      ...(persistent === false && { persistent }),
      ...(autostart !== undefined && { autostart }),
      ...(live !== undefined && { definition: record.network }),
    };
  }

  /** Whether a network of the store is active. */
  #activityOf({ network, activeId, deleting }: NetworkRecord): NetworkActivity {
    if (deleting) return { phase: 'deleting', nodes: this.#input.use().nodes(network.id) ?? [] };
    return activeId === undefined ? { phase: 'stopped' } : { phase: 'active', id: activeId };
  }
}

/** A mesh of a file may have the number of a network of the store. */
function recordOfId(stored: CatalogueViewsInput['stored'], id: NetworkId, number: Network['number']) {
  const record = stored.recordOf(number);
  return record?.network.id === id ? record : undefined;
}
