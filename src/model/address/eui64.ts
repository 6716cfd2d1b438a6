/** The IPv6 addresses that hosts form from their Ethernet address. */
import { type Ipv6, type Ipv6Cidr, ipv6FromBytes, ipv6ToBytes } from './ipv6.ts';
import { type Mac, macToBytes } from './mac.ts';

/** The address that a guest gives itself in a /64 by its Ethernet address (RFC 4291, appendix A). */
export function eui64Address(prefix: Ipv6Cidr, mac: Mac): Ipv6 {
  const [network = ''] = prefix.split('/');
  const bytes = Buffer.from(ipv6ToBytes(network as Ipv6));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = macToBytes(mac);
  // The bit for "locally administered" is inverted.
  bytes.set([a ^ 0x02, b, c, 0xff, 0xfe, d, e, f], 8);
  return ipv6FromBytes(bytes);
}
