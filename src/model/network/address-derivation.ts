/** How addresses are derived from identifiers: the same on a node, on host0 and in a boot script. */
import { type Ipv6, ipv6WithSuffix } from '../address/ipv6.ts';
import { type Mac, macFromHex } from '../address/mac.ts';
import { genid } from '../genid.ts';
import type { MachineWord } from '../machine.ts';

const LINK_LOCAL = 'fe80::/64' as Parameters<typeof ipv6WithSuffix>[0];
/**
 * Reports and packets need the same addresses again and again, and each derivation is four hashes. The number is bounded,
 * so that a sender that makes up machine ids cannot fill the memory.
 */
const DERIVED_MAX = 8_192;

type Derivation<N, A> = (network: N, machine: MachineWord) => A;

/** A derivation that remembers its results for as long as the network's object lives. */
export function remembered<N extends object, A>(derive: Derivation<N, A>): Derivation<N, A> {
  const derived = new WeakMap<N, Map<MachineWord, A>>();
  return (network, machine) => {
    const known = derived.get(network) ?? new Map<MachineWord, A>();
    const before = known.get(machine);
    if (before !== undefined) return before;
    const addresses = derive(network, machine);
    if (known.size >= DERIVED_MAX) known.clear();
    derived.set(network, known.set(machine, addresses));
    return addresses;
  };
}

/** The Ethernet address that identifiers give. The first byte is 02: it is locally administered (IEEE 802). */
export function derivedMac(...parts: readonly string[]): Mac {
  return macFromHex(`02${genid(parts, 10)}`);
}

/** The link-local address of a suffix of 16 hex digits. */
export function linkLocalWith(suffix: string): Ipv6 {
  return ipv6WithSuffix(LINK_LOCAL, suffix);
}

/** 16 hex digits that are neither 0 (the subnet-router anycast address, RFC 4291 §2.6.1) nor 1 (host0's in a mesh). */
export function derivedSuffix(...parts: readonly string[]): string {
  for (let counter = 1, suffix = genid(['ipv6', ...parts], 16); ; counter++) {
    if (BigInt(`0x${suffix}`) > 1n) return suffix;
    suffix = genid(['ipv6', ...parts, String(counter)], 16);
  }
}
