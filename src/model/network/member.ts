/** A member: one node in one mesh, and the addresses that follow from who it is. */

import type { Ipv4 } from '../address/ipv4.ts';
import { type Ipv6, ipv6WithSuffix } from '../address/ipv6.ts';
import { type Mac, macFromHex } from '../address/mac.ts';
import { genid } from '../genid.ts';
import type { MachineWord } from '../machine.ts';
import type { Network } from './network.ts';

/** What the membership list says of a node: everything that its peers need to reach it. */
export interface Member {
  /** Host name, for people. Not an identity. */
  readonly name: string;
  /** Where its VXLAN packets go, as the asker sees it. */
  readonly ipv4: Ipv4;
  /** Its bridge's address: the one that its own frames carry. */
  readonly mac: Mac;
  readonly ipv6: Ipv6;
}

export function sameMember(a: Member, b: Member): boolean {
  return a.name === b.name && a.ipv4 === b.ipv4 && a.mac === b.mac && a.ipv6 === b.ipv6;
}

export interface MemberAddresses {
  /** The VXLAN device's own Ethernet address. */
  readonly vtepMac: Mac;
  /** The bridge's: source of every frame that the node itself sends. */
  readonly bridgeMac: Mac;
  readonly ipv6: Ipv6;
  readonly linkLocal: Ipv6;
}

const HOST0_SUFFIX = '0000000000000001';
const LINK_LOCAL = 'fe80::/64' as Parameters<typeof ipv6WithSuffix>[0];

/** Reports and packets ask for the same few again and again, and each is four hashes. Whoever invents machines fills no memory. */
const derived = new WeakMap<Network, Map<MachineWord, MemberAddresses>>();
const DERIVED_MAX = 8_192;

/** The addresses of `machine` in `network`: the same on the node, on host0 and in a boot script. */
export function memberAddresses(network: Network, machine: MachineWord): MemberAddresses {
  const known = derived.get(network) ?? new Map<MachineWord, MemberAddresses>();
  const before = known.get(machine);
  if (before !== undefined) return before;
  const addresses = derive(network, machine);
  if (known.size >= DERIVED_MAX) known.clear();
  derived.set(network, known.set(machine, addresses));
  return addresses;
}

function derive(network: Network, machine: MachineWord): MemberAddresses {
  const { key, prefix, vni } = network.fabric;
  const word = `${network.name}${vni}`;
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
