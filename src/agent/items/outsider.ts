/**
 * Senders of VXLAN packets that host0 drops since they are on no segment. The inet table counts them by NIC, address and
 * VNI, and forgets a sender that has sent nothing for ten minutes.
 */
import type { Ipv4 } from '../../model/address/ipv4.ts';

/** The set that counts the packets. */
export const OUTSIDERS_SET = 'outsiders';
/** The chain that counts a packet, and drops it. */
export const OUTSIDER_CHAIN = 'outsider';

/** The packets of one sender. */
export interface Outsider {
  /** Name of the NIC that the packets came in by. */
  readonly device: string;
  readonly ipv4: Ipv4;
  readonly vni: number;
  /** Packets since the first one, or since ten minutes passed without one. */
  readonly packets: number;
}

const COUNT = /"([^"]+)" \. ([0-9.]+) \. (0x[0-9a-f]+|\d+)[^,}]*? counter packets (\d+) bytes \d+/g;

/** Reads nft's listing of the set. */
export function parseOutsiders(listing: string): Outsider[] {
  return Array.from(listing.matchAll(COUNT), ([, device = '', ipv4 = '', vni, packets]) => ({
    device,
    ipv4: ipv4 as Ipv4,
    vni: Number(vni),
    packets: Number(packets),
  }));
}
