/**
 * When two networks are the same, and when one is another mesh. Between the two lies every change that keeps the members:
 * they stay in the store, on disk and in the kernel, and only what is derived from the changed parts is derived again.
 */
import { isDeepStrictEqual } from 'node:util';
import type { MeshFabric, Network } from './network.ts';

/** The parts of a network that the names and addresses of its members follow from. */
export interface MeshIdentity {
  readonly name: string;
  readonly fabric: Pick<MeshFabric, 'key' | 'prefix'> & { readonly vni: number };
}

/** Whether all parts of `a` and `b` are equal, whatever the order of their keys. */
export function sameNetwork(a: Network, b: Network): boolean {
  return isDeepStrictEqual(a, b);
}

/** Whether `b` is another mesh than `a`, so that members leave the one and join the other; a network stays itself through any other change. */
export function mustRejoin(a: MeshIdentity, b: MeshIdentity): boolean {
  return (
    a.fabric.vni !== b.fabric.vni ||
    a.name !== b.name ||
    a.fabric.key !== b.fabric.key ||
    a.fabric.prefix !== b.fabric.prefix
  );
}

/**
 * The networks of `now`, each as the object that it was in `before` if it is the same, so that whatever was derived from
 * that object still holds.
 * @returns `before` itself when nothing is different
 */
export function internNetworks(before: readonly Network[], now: readonly Network[]): readonly Network[] {
  const known = new Map(before.map((network) => [network.id, network]));
  const interned = now.map((network) => {
    const same = known.get(network.id);
    return same !== undefined && sameNetwork(same, network) ? same : network;
  });
  const unchanged = interned.length === before.length && interned.every((network, i) => network === before[i]);
  return unchanged ? before : interned;
}
