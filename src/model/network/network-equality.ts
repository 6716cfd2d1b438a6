/**
 * When two definitions of a network are equal, and when they are two different meshes. A change between the two keeps the
 * members in the store, on disk and in the kernel; only what depends on the changed parts is derived again.
 */
import { isDeepStrictEqual } from 'node:util';
import type { MeshFabric, Network } from './network.ts';

/** The parts of a network from which devices and addresses of its members are derived. */
export interface MeshIdentity {
  readonly name: string;
  readonly fabric: Pick<MeshFabric, 'key' | 'prefix'> & { readonly vni: number };
}

/** Whether all parts of `a` and `b` are equal, in any order of keys. */
export function sameNetwork(a: Network, b: Network): boolean {
  return isDeepStrictEqual(a, b);
}

/** Whether `b` is another mesh than `a`: members must leave the one and join the other. */
export function mustRejoin(a: MeshIdentity, b: MeshIdentity): boolean {
  return (
    a.fabric.vni !== b.fabric.vni ||
    a.name !== b.name ||
    a.fabric.key !== b.fabric.key ||
    a.fabric.prefix !== b.fabric.prefix
  );
}

/**
 * The networks of `now`, where each unchanged network is the object from `before`. Results that were derived from that
 * object, and caches that are keyed by it, remain valid.
 * @returns `before` itself when all networks are unchanged and in the same order
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
