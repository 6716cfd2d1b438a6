/**
 * Which networks of all sources are in force. The older network stays: a newcomer whose number, name or devices are taken is
 * refused until the older one is gone, and a file that comes to collide with another network leaves its network as it was.
 */
import type { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { ClaimBook, conflictError } from '../../model/network/network-conflicts.ts';
import { sameNetwork } from '../../model/network/network-equality.ts';
import type { NetworkId } from '../../model/network/number.ts';

/** The networks in force, and those that are refused, each with the reason. */
export interface Judgement {
  readonly inForce: ReadonlyMap<NetworkId, Network>;
  readonly refused: ReadonlyMap<NetworkId, { readonly network: Network; readonly error: MeshError }>;
}

/** Before anything is known. */
export const NOTHING_IN_FORCE: Judgement = { inForce: new Map(), refused: new Map() };

/** Judges all networks again. @param stored those of the store, which go before files that are as new as they are */
export function judgeCatalogue(
  before: ReadonlyMap<NetworkId, Network>,
  stored: readonly Network[],
  files: readonly Network[],
): Judgement {
  const all = [...stored, ...files];
  const age = (network: Network): number => {
    const known = before.get(network.id);
    if (known === undefined) return 2;
    return sameNetwork(known, network) ? 0 : 1;
  };
  const inForce = new Map<NetworkId, Network>();
  const refused = new Map<NetworkId, { readonly network: Network; readonly error: MeshError }>();
  // What has changed is as it was until it is judged: a newcomer must not take its old place meanwhile.
  for (const network of all) {
    const known = before.get(network.id);
    if (known !== undefined) inForce.set(network.id, known);
  }
  const book = new ClaimBook(inForce.values());
  for (const network of all.toSorted((a, b) => age(a) - age(b))) {
    const conflict = book.conflictOf(network);
    if (conflict !== undefined) {
      refused.set(network.id, { network, error: conflictError(conflict) });
      continue;
    }
    const known = inForce.get(network.id);
    if (known !== undefined) book.remove(known);
    book.add(network);
    inForce.set(network.id, network);
  }
  return { inForce, refused };
}
