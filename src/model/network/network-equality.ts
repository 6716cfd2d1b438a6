/**
 * When two definitions of a network are equal, and when they are two different meshes. A change between the two keeps the
 * members in the store, on disk and in the kernel; only what depends on the changed parts is derived again.
 */
import { isDeepStrictEqual } from 'node:util';
import type { DerivedHostAddress } from './host-address.ts';
import type { Network } from './network.ts';
import { NETWORK_TYPES } from './types/network-type.ts';

/** The parts of a mesh from which the addresses of its members are derived. */
export interface MeshIdentity extends Pick<Network, 'number' | 'name'> {
  readonly hostAddress: Pick<DerivedHostAddress, 'key' | 'prefix'>;
}

type NetworkIdentity = MeshIdentity | Pick<Network, 'number' | 'name' | 'hostAddress'>;

/** Whether all parts of `a` and `b` are equal, in any order of keys. */
export function sameNetwork(a: Network, b: Network): boolean {
  return isDeepStrictEqual(a, b);
}

/**
 * Whether `b` is another network than `a`: members must leave the one and join the other. The name counts only where
 * addresses are derived from it.
 */
export function mustRejoin(a: NetworkIdentity, b: NetworkIdentity): boolean {
  const [was, is] = [derivationOf(a), derivationOf(b)];
  return a.number !== b.number || was?.name !== is?.name || was?.key !== is?.key || was?.prefix !== is?.prefix;
}

function derivationOf({
  name,
  hostAddress,
}: NetworkIdentity): { name: string; key: string; prefix: string } | undefined {
  return 'key' in hostAddress ? { name, key: hostAddress.key, prefix: hostAddress.prefix } : undefined;
}

/** What a change of a network costs: nothing; other settings; new devices, which lose packets; or that members join anew. */
export type NetworkChange = 'none' | 'in place' | 'device' | 'join';

/** What it takes to make `after` of `before`, which have the same identifier. */
export function networkChange(before: Network, after: Network): NetworkChange {
  if (sameNetwork(before, after)) return 'none';
  if (mustRejoin(before, after)) return 'join';
  return before.type.kind !== after.type.kind || NETWORK_TYPES[before.type.kind].remakesDevice(before.type, after.type)
    ? 'device'
    : 'in place';
}

/**
 * The networks of `now`, where each unchanged network is the object from `before`. Results that were derived from that
 * object, and caches that are keyed by it, remain valid.
 * @returns `before` itself when all networks are unchanged and in the same order
 */
export function internNetworks<N extends Network>(before: readonly N[], now: readonly N[]): readonly N[] {
  const known = new Map(before.map((network) => [network.id, network]));
  const interned = now.map((network) => {
    const same = known.get(network.id);
    return same !== undefined && sameNetwork(same, network) ? same : network;
  });
  const unchanged = interned.length === before.length && interned.every((network, i) => network === before[i]);
  return unchanged ? before : interned;
}
