/** The addresses that a machine's devices have in a network, so that each node can tell them of any other. */
import { type Ipv6, ipv6WithSuffix } from '../address/ipv6.ts';
import { type Mac, macFromHex } from '../address/mac.ts';
import { genid } from '../genid.ts';
import type { MachineWord } from '../machine.ts';
import { memberAddresses } from './member.ts';
import { isMesh } from './mesh.ts';
import type { Network } from './network.ts';

/** The addresses of a machine's devices in a network of any type. */
export interface NodeAddresses {
  /** Ethernet address of the VXLAN device. */
  readonly vtepMac: Mac;
  /** Ethernet address of the bridge: the source of the node's own frames. */
  readonly bridgeMac: Mac;
  readonly linkLocal: Ipv6;
  /** In a mesh only. */
  readonly ipv6?: Ipv6;
}

const LINK_LOCAL = 'fe80::/64' as Parameters<typeof ipv6WithSuffix>[0];

/** Each derivation is three hashes. */
const derived = new WeakMap<Network, Map<MachineWord, NodeAddresses>>();
const DERIVED_MAX = 8_192;

/** The addresses of `machine` in `network`: those of a member in a mesh, and otherwise derived from the number. */
export function nodeAddresses(network: Network, machine: MachineWord): NodeAddresses {
  if (isMesh(network)) return memberAddresses(network, machine);
  const known = derived.get(network) ?? new Map<MachineWord, NodeAddresses>();
  const before = known.get(machine);
  if (before !== undefined) return before;
  const word = String(network.number);
  const addresses = {
    vtepMac: macFromHex(`02${genid(['vxlan', word, machine], 10)}`),
    bridgeMac: network.bridge?.mac ?? macFromHex(`02${genid(['bridge', word, machine], 10)}`),
    linkLocal: ipv6WithSuffix(LINK_LOCAL, genid(['ipv6', word, machine], 16)),
  };
  if (known.size >= DERIVED_MAX) known.clear();
  derived.set(network, known.set(machine, addresses));
  return addresses;
}
