/**
 * When two definitions of a network are equal, and when they are two different meshes. A change between the two keeps the
 * members in the store, on disk and in the kernel; only what depends on the changed parts is derived again.
 */
import { isDeepStrictEqual } from 'node:util';
import type { DerivedHostAddress } from './host-address.ts';
import { derivationWord, hasDerivedAddresses } from './member.ts';
import type { Network } from './network.ts';
import { NETWORK_TYPES } from './types/network-type.ts';

/** The parts of a mesh from which the addresses of its members are derived. */
export interface MeshIdentity extends Pick<Network, 'number' | 'name'> {
  readonly hostAddress: Pick<DerivedHostAddress, 'key' | 'prefix'>;
}

/** Whether all parts of `a` and `b` are equal, in any order of keys. */
export function sameNetwork(a: Network, b: Network): boolean {
  return isDeepStrictEqual(a, b);
}

/** Whether `b` is another mesh than `a`: members must leave the one and join the other. */
export function mustRejoin(a: MeshIdentity, b: MeshIdentity): boolean {
  return (
    a.number !== b.number ||
    a.name !== b.name ||
    a.hostAddress.key !== b.hostAddress.key ||
    a.hostAddress.prefix !== b.hostAddress.prefix
  );
}

/** What a change of a network costs: nothing; other settings; new devices, which lose packets; or that members join anew. */
export type NetworkChange = 'none' | 'in place' | 'device' | 'join';

/** What it takes to make `after` of `before`, which have the same identifier. */
export function networkChange(before: Network, after: Network): NetworkChange {
  if (sameNetwork(before, after)) return 'none';
  if (before.number !== after.number || !isDeepStrictEqual(derivationOf(before), derivationOf(after))) return 'join';
  return before.type.kind !== after.type.kind || NETWORK_TYPES[before.type.kind].remakesDevice(before.type, after.type)
    ? 'device'
    : 'in place';
}

/** What the addresses of members are derived from; undefined where they are not derived. */
function derivationOf(network: Network): readonly string[] | undefined {
  if (!hasDerivedAddresses(network)) return undefined;
  return [derivationWord(network), network.hostAddress.key, network.hostAddress.prefix];
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
