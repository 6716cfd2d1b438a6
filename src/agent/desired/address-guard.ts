/** The addresses that no port of this node may send from, as elements of the sets of the bridge table. */
import { type Ipv6, ipv6FromBytes, ipv6ToBytes } from '../../model/address/ipv6.ts';
import type { Member, MemberAddresses } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import type { SetElement } from './part.ts';
import { addressNumber, addressSet, macSet } from './port-guard.ts';

const LINK_LOCAL = [0xfe, 0x80, 0, 0, 0, 0, 0, 0];
const SUFFIX_BYTES = 8;

/** Guards this node's own addresses. */
export function ownGuard(network: Network, { bridgeMac, vtepMac, ipv6, linkLocal }: MemberAddresses): SetElement[] {
  return guard(network, [bridgeMac, vtepMac], [ipv6, linkLocal]);
}

/** Guards a member's addresses, its link-local one too. */
export function memberGuard(network: Network, { mac, ipv6 }: Member): SetElement[] {
  return guard(network, [mac], [ipv6, linkLocalOf(ipv6)]);
}

function guard({ fabric: { vni } }: Network, macs: readonly string[], addresses: readonly Ipv6[]): SetElement[] {
  return [
    ...macs.map((element) => ({ set: macSet(vni), element })),
    ...addresses.map((address) => ({ set: addressSet(vni), element: addressNumber(address) })),
  ];
}

/** A member's link-local address has the same suffix as its address in the mesh. */
function linkLocalOf(ipv6: Ipv6): Ipv6 {
  return ipv6FromBytes(Uint8Array.from([...LINK_LOCAL, ...ipv6ToBytes(ipv6).slice(SUFFIX_BYTES)]));
}
