/** The addresses that no port of this node may send from, as elements of the sets of the bridge table. */
import { type Ipv6, ipv6FromBytes, ipv6ToBytes } from '../../../model/address/ipv6.ts';
import type { Mac } from '../../../model/address/mac.ts';
import type { Member } from '../../../model/network/member.ts';
import type { Network } from '../../../model/network/network.ts';
import type { NodeAddresses } from '../../../model/network/node-addresses.ts';
import type { SetElement } from '../part.ts';
import { addressSet, macSet } from './port-rules.ts';
import { addressNumber } from './raw-number.ts';

const LINK_LOCAL = [0xfe, 0x80, 0, 0, 0, 0, 0, 0];
const SUFFIX_BYTES = 8;

/** Guards this node's own addresses. */
export function ownGuard(network: Network, { bridgeMac, vtepMac, ipv6, linkLocal }: NodeAddresses): SetElement[] {
  return guardOf(network, [bridgeMac, vtepMac], ipv6 === undefined ? [linkLocal] : [ipv6, linkLocal]);
}

/** Guards a member's addresses, its link-local one too. */
export function memberGuard(network: Network, { mac, ipv6 }: Member): SetElement[] {
  return guardOf(network, [mac], [ipv6, linkLocalOf(ipv6)]);
}

/** Guards these addresses of a network. */
export function guardOf({ number }: Network, macs: readonly Mac[], addresses: readonly Ipv6[]): SetElement[] {
  return [
    ...macs.map((element) => ({ set: macSet(number), element })),
    ...addresses.map((address) => ({ set: addressSet(number), element: addressNumber(address) })),
  ];
}

/** A member's link-local address has the same suffix as its address in the mesh. */
function linkLocalOf(ipv6: Ipv6): Ipv6 {
  return ipv6FromBytes(Uint8Array.from([...LINK_LOCAL, ...ipv6ToBytes(ipv6).slice(SUFFIX_BYTES)]));
}
