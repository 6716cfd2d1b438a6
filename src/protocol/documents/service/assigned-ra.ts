/** The router advertisements that one node sends for a network: what radvd is given, and what is heard on the bridge. */
import type { Ipv6, Ipv6Cidr } from '../../../model/address/ipv6.ts';

/** A prefix as a router advertises it (RFC 4861 §4.6.2). Guests form their own addresses in it. */
export interface AdvertisedPrefix {
  readonly prefix: Ipv6Cidr;
  /** 0 in both: the prefix is being withdrawn. */
  readonly validSec: number;
  readonly preferredSec: number;
}

/** What a router advertises. */
export interface RouterAdvertisement {
  /** How long the router is one after the advertisement. 0: it is none any more. */
  readonly lifetimeSec: number;
  readonly reachableMs: number;
  readonly mtuBytes: number;
  readonly prefixes: readonly AdvertisedPrefix[];
  readonly resolvers: readonly Ipv6[];
  readonly searchDomains: readonly string[];
  /** DHCPv6 gives addresses (the flag M of RFC 4861 §4.2). */
  readonly managed?: true;
  /** DHCPv6 gives other settings (the flag O). */
  readonly otherConfig?: true;
}

/** Router advertisements, as host0 gives them to a node. */
export interface AssignedRa {
  readonly kind: 'ra';
  /** The same for the same content: a state is about exactly this content. */
  readonly id: string;
  readonly advertisement: RouterAdvertisement;
}
