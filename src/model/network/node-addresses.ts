/** The addresses that a machine's devices have in a network, so that each node can tell them of any other. */
import type { Ipv6 } from '../address/ipv6.ts';
import type { Mac } from '../address/mac.ts';
import type { MachineWord } from '../machine.ts';
import { derivedMac, derivedSuffix, linkLocalWith, remembered } from './address-derivation.ts';
import { hasDerivedAddresses, memberAddresses } from './member.ts';
import type { Network } from './network.ts';

/** The addresses of a machine's devices in a network of any type. */
export interface NodeAddresses {
  /** Ethernet address of the VXLAN device. */
  readonly vtepMac: Mac;
  /** Ethernet address of the bridge: the source of the node's own frames. */
  readonly bridgeMac: Mac;
  readonly linkLocal: Ipv6;
  /** Where host addresses are derived. */
  readonly ipv6?: Ipv6;
}

/** The addresses of `machine` in `network`: those of a member where host addresses are derived, else made of the number. */
export function nodeAddresses(network: Network, machine: MachineWord): NodeAddresses {
  return hasDerivedAddresses(network) ? memberAddresses(network, machine) : fromNumber(network, machine);
}

/** The address by which the other nodes reach `machine` in `network`: the derived one, else the link-local one. */
export function ipv6In(network: Network, machine: MachineWord): Ipv6 {
  const { ipv6, linkLocal } = nodeAddresses(network, machine);
  return ipv6 ?? linkLocal;
}

const fromNumber = remembered(({ number, bridge }: Network, machine): NodeAddresses => {
  const word = String(number);
  return {
    vtepMac: derivedMac('vxlan', word, machine),
    bridgeMac: bridge?.mac ?? derivedMac('bridge', word, machine),
    linkLocal: linkLocalWith(derivedSuffix(word, machine)),
  };
});
