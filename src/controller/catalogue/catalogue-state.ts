/**
 * Which networks of all sources are in force. The older network stays: a newcomer whose number, name or devices are taken is
 * refused until the older one is gone, and a file that comes to collide with another network leaves its network as it was.
 *
 * A network that was defined anew while it is active has two forms: the live one is in force, and what the other one claims is kept
 * for the next start.
 *
 * Only what has changed is judged, with what is refused already: the others are side by side, and stay so.
 */
import type { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { ClaimBook, conflictError } from '../../model/network/network-conflicts.ts';
import { sameNetwork } from '../../model/network/network-equality.ts';
import type { NetworkId } from '../../model/network/number.ts';

/** A network that is refused, with the reason. */
export interface RefusedNetwork {
  readonly network: Network;
  readonly error: MeshError;
}

/** The networks in force, and those that are refused. */
export class CatalogueState {
  readonly #inForce = new Map<NetworkId, Network>();
  readonly #refused = new Map<NetworkId, RefusedNetwork>();
  readonly #book = new ClaimBook<Network>();
  /** The definitions of active networks that will be in force after a stop and a start, where those are others. */
  readonly #later = new Map<NetworkId, Network>();
  readonly #laterBook = new ClaimBook<Network>();

  /** The network of an identifier as it is in force. */
  inForce(id: NetworkId): Network | undefined {
    return this.#inForce.get(id);
  }

  /** The networks that are refused, as they are defined now. */
  get refused(): ReadonlyMap<NetworkId, RefusedNetwork> {
    return this.#refused;
  }

  /** The claims of the networks in force, and of the definitions for later. */
  readonly claims: Pick<ClaimBook<Network>, 'ownerOf' | 'conflictOf' | 'hasVni'> = {
    ownerOf: (part, text) => this.#book.ownerOf(part, text) ?? this.#laterBook.ownerOf(part, text),
    conflictOf: (newcomer) => this.#book.conflictOf(newcomer) ?? this.#laterBook.conflictOf(newcomer),
    hasVni: (vni) => this.#book.hasVni(vni) || this.#laterBook.hasVni(vni),
  };

  /** Takes the definition that an active network will have after a stop and a start; undefined when it is the one in force. */
  setLater(id: NetworkId, definition: Network | undefined): void {
    const known = this.#later.get(id);
    if (known !== undefined) this.#laterBook.remove(known);
    this.#later.delete(id);
    if (definition === undefined) return;
    this.#laterBook.add(definition);
    this.#later.set(id, definition);
  }

  /** The definitions for later. */
  get later(): ReadonlyMap<NetworkId, Network> {
    return this.#later;
  }

  /** Judges all networks. @param stored those of the store, which go before files that are as new as they are */
  judgeAll(stored: readonly Network[], files: readonly Network[]): readonly RefusedNetwork[] {
    const defined = new Set([...stored, ...files].map(({ id }) => id));
    const gone = [...this.#inForce.keys(), ...this.#refused.keys()].filter((id) => !defined.has(id));
    return this.#judge([...stored, ...files], gone);
  }

  /**
   * Judges networks of the store that are new or others.
   * @param gone the identifiers of networks that are not there any more
   * @returns the networks that are refused now, and were not, or for another reason
   */
  judge(changed: readonly Network[], gone: readonly NetworkId[]): readonly RefusedNetwork[] {
    const ids = new Set([...changed.map(({ id }) => id), ...gone]);
    const others = Array.from(this.#refused.values(), ({ network }) => network).filter(({ id }) => !ids.has(id));
    const [stored, files] = [[], []] as [Network[], Network[]];
    for (const network of others) (network.source === 'file' ? files : stored).push(network);
    return this.#judge([...stored, ...changed, ...files], gone);
  }

  #judge(networks: readonly Network[], gone: readonly NetworkId[]): readonly RefusedNetwork[] {
    for (const id of gone) {
      const known = this.#inForce.get(id);
      if (known !== undefined) this.#book.remove(known);
      this.#inForce.delete(id);
      this.#refused.delete(id);
    }
    const age = (network: Network): number => {
      const known = this.#inForce.get(network.id);
      if (known === undefined) return 2;
      return known === network || sameNetwork(known, network) ? 0 : 1;
    };
    const aged = networks.map((network) => ({ network, age: age(network) })).sort((a, b) => a.age - b.age);
    const news: RefusedNetwork[] = [];
    // What has changed is as it was until it is judged: a newcomer must not take its old place meanwhile.
    for (const { network } of aged) {
      const conflict = this.claims.conflictOf(network);
      if (conflict === undefined) {
        this.#take(network);
        continue;
      }
      const refused = { network, error: conflictError(conflict) };
      if (this.#refused.get(network.id)?.error.message !== refused.error.message) news.push(refused);
      this.#refused.set(network.id, refused);
    }
    return news;
  }

  #take(network: Network): void {
    const known = this.#inForce.get(network.id);
    if (known !== undefined) this.#book.remove(known);
    this.#book.add(network);
    this.#inForce.set(network.id, network);
    this.#refused.delete(network.id);
  }
}
