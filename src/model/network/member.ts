/** A member: one node in one mesh, and the addresses that are derived from its identity. */

import type { Ipv4 } from '../address/ipv4.ts';
import { type Ipv6, ipv6WithSuffix } from '../address/ipv6.ts';
import { type Mac, macFromHex } from '../address/mac.ts';
import { genid } from '../genid.ts';
import type { MachineWord } from '../machine.ts';
import type { Mesh } from './mesh.ts';

/** A member as the member list gives it: all that its peers need to reach it. */
export interface Member {
  /** Host name, for people. Not an identity. */
  readonly name: string;
  /**
   * Underlay address of the member's VXLAN packets. host0 has one on each segment: the list gives the one that the
   * asker can reach.
   */
  readonly ipv4: Ipv4;
  /** Address of the node's bridge: the source of the node's own frames. */
  readonly mac: Mac;
  readonly ipv6: Ipv6;
}

/** Whether nothing that peers see is different. */
export function sameMember(a: Member, b: Member): boolean {
  return a.name === b.name && a.ipv4 === b.ipv4 && a.mac === b.mac && a.ipv6 === b.ipv6;
}

/** The addresses of a machine in a network. */
export interface MemberAddresses {
  /** Ethernet address of the VXLAN device. */
  readonly vtepMac: Mac;
  /** Ethernet address of the bridge: the source of the node's own frames. */
  readonly bridgeMac: Mac;
  readonly ipv6: Ipv6;
  readonly linkLocal: Ipv6;
}

const HOST0_SUFFIX = '0000000000000001';
const LINK_LOCAL = 'fe80::/64' as Parameters<typeof ipv6WithSuffix>[0];

/**
 * Reports and packets need the same addresses again and again, and each derivation is four hashes. The number is bounded,
 * so that a sender that makes up machine ids cannot fill the memory.
 */
const derived = new WeakMap<Mesh, Map<MachineWord, MemberAddresses>>();
const DERIVED_MAX = 8_192;

/** The addresses of `machine` in `network`. A node, host0 and a boot script derive the same ones. */
export function memberAddresses(network: Mesh, machine: MachineWord): MemberAddresses {
  const known = derived.get(network) ?? new Map<MachineWord, MemberAddresses>();
  const before = known.get(machine);
  if (before !== undefined) return before;
  const addresses = derive(network, machine);
  if (known.size >= DERIVED_MAX) known.clear();
  derived.set(network, known.set(machine, addresses));
  return addresses;
}

function derive(network: Mesh, machine: MachineWord): MemberAddresses {
  const { key, prefix } = network.hostAddress;
  const word = `${network.name}${network.number}`;
  const suffix = machine === 'host0' ? HOST0_SUFFIX : suffixOf(key, machine, word);
  return {
    vtepMac: macFromHex(`02${genid(['vxlan', key, machine, word], 10)}`),
    bridgeMac: macFromHex(`02${genid(['bridge', key, machine, word], 10)}`),
    ipv6: ipv6WithSuffix(prefix, suffix),
    linkLocal: ipv6WithSuffix(LINK_LOCAL, suffix),
  };
}

/** 16 hex digits that are neither 0 (the subnet-router anycast address, RFC 4291 §2.6.1) nor 1 (host0's). */
function suffixOf(key: string, machine: string, word: string): string {
  const parts = ['ipv6', key, machine, word];
  for (let counter = 1, suffix = genid(parts, 16); ; counter++) {
    if (BigInt(`0x${suffix}`) > 1n) return suffix;
    suffix = genid([...parts, String(counter)], 16);
  }
}
