/** The configuration of a tayga that translates between IPv6 and IPv4 for one network. Pure. */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';

/** A machine with an IPv4 address of its own. */
export interface StaticMap {
  readonly ipv4: Ipv4;
  readonly ipv6: Ipv6;
}

/** What a tayga translates. */
export interface Translation {
  /** A /96: an IPv4 address is the last 32 bits of an IPv6 address of it (RFC 6052 §2.2). */
  readonly prefix: Ipv6Cidr;
  /** The translator's own addresses, from which it sends errors. No host has them. */
  readonly ipv4: Ipv4;
  readonly ipv6: Ipv6;
  readonly maps: readonly StaticMap[];
  /** IPv4 addresses for all other machines, while they talk. They are behind NAT44 (RFC 7915 alone would need one each). */
  readonly pool: Ipv4Cidr;
}

/** The device of a translator, in the namespace of its network. */
export const TRANSLATOR_LINK = 'nat64';

/**
 * The text of the file. All values are addresses, subnets and paths of ours: nothing in it can end a line.
 * @param dataDirectory where tayga keeps which machine has which address of the pool
 */
export function taygaConf({ prefix, ipv4, ipv6, maps, pool }: Translation, dataDirectory: string): string {
  return [
    '# Made by Meshwork; changes are overwritten.',
    `tun-device ${TRANSLATOR_LINK}`,
    `ipv4-addr ${ipv4}`,
    `ipv6-addr ${ipv6}`,
    `prefix ${prefix}`,
    `dynamic-pool ${pool}`,
    `data-dir ${dataDirectory}`,
    ...maps.map((map) => `map ${map.ipv4} ${map.ipv6}`),
    '',
  ].join('\n');
}
