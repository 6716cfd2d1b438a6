/** Router advertisements as they are on the wire (RFC 4861 §4.2, RFC 8106). */
import { type Ipv6, ipv6FromBytes, ipv6Subnet } from '../../model/address/ipv6.ts';
import { type Mac, macFromHex } from '../../model/address/mac.ts';
import type { AdvertisedPrefix, RouterAdvertisement } from '../../protocol/documents/service/assigned-ra.ts';

/** What a frame with a router advertisement says. */
export interface HeardAdvertisement {
  /** The Ethernet address of the sender. */
  readonly from: Mac;
  readonly advertisement: RouterAdvertisement;
}

const ETHERNET_BYTES = 14;
const ETHERTYPE_IPV6 = 0x86dd;
const IPV6_BYTES = 40;
const ICMPV6 = 58;
const ROUTER_ADVERTISEMENT = 134;
/** Where the options of the message begin, from the begin of the frame. */
const OPTIONS = ETHERNET_BYTES + IPV6_BYTES + 16;
const FLAG = { managed: 0x80, otherConfig: 0x40 } as const;
const OPTION = { prefix: 3, mtu: 5, resolvers: 25, domains: 31 } as const;

/** Reads a frame. @returns undefined for one that is no router advertisement, or is cut off */
export function readAdvertisement(frame: Buffer): HeardAdvertisement | undefined {
  if (frame.length < OPTIONS || frame.readUInt16BE(12) !== ETHERTYPE_IPV6) return undefined;
  const message = ETHERNET_BYTES + IPV6_BYTES;
  if (frame[ETHERNET_BYTES + 6] !== ICMPV6 || frame[message] !== ROUTER_ADVERTISEMENT) return undefined;
  const flags = frame[message + 5] ?? 0;
  const prefixes: AdvertisedPrefix[] = [];
  const resolvers: Ipv6[] = [];
  const searchDomains: string[] = [];
  let mtuBytes = 0;
  for (let at = OPTIONS; at + 2 <= frame.length; ) {
    const length = 8 * (frame[at + 1] ?? 0);
    if (length === 0 || at + length > frame.length) return undefined;
    const option = frame.subarray(at, at + length);
    if (frame[at] === OPTION.prefix && length === 32) prefixes.push(prefixOf(option));
    if (frame[at] === OPTION.mtu && length === 8) mtuBytes = option.readUInt32BE(4);
    if (frame[at] === OPTION.resolvers)
      for (let next = 8; next + 16 <= length; next += 16)
        resolvers.push(ipv6FromBytes(option.subarray(next, next + 16)));
    if (frame[at] === OPTION.domains) searchDomains.push(...domainsOf(option.subarray(8)));
    at += length;
  }
  return {
    from: macFromHex(frame.toString('hex', 6, 12)),
    advertisement: {
      lifetimeSec: frame.readUInt16BE(message + 6),
      reachableMs: frame.readUInt32BE(message + 8),
      mtuBytes,
      prefixes,
      resolvers,
      searchDomains,
      ...((flags & FLAG.managed) !== 0 && { managed: true }),
      ...((flags & FLAG.otherConfig) !== 0 && { otherConfig: true }),
    },
  };
}

function prefixOf(option: Buffer): AdvertisedPrefix {
  return {
    prefix: ipv6Subnet(ipv6FromBytes(option.subarray(16, 32)), Math.min(option[2] ?? 0, 128)),
    validSec: option.readUInt32BE(4),
    preferredSec: option.readUInt32BE(8),
  };
}

/** Names in the encoding of DNS (RFC 1035 §3.1), filled up with zeros. */
function domainsOf(bytes: Buffer): string[] {
  const domains: string[] = [];
  let labels: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] ?? 0;
    if (length === 0) {
      if (labels.length > 0) domains.push(labels.join('.'));
      labels = [];
      at += 1;
    } else {
      labels.push(bytes.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
  }
  return domains;
}

/** Whether a router sends what it was told, in any order. */
export function isSameAdvertisement(heard: RouterAdvertisement, wanted: RouterAdvertisement): boolean {
  return canonical(heard) === canonical(wanted);
}

function canonical({ prefixes, resolvers, searchDomains, ...fixed }: RouterAdvertisement): string {
  const { lifetimeSec, reachableMs, mtuBytes, managed = false, otherConfig = false } = fixed;
  const list = prefixes.map(({ prefix, validSec, preferredSec }) => `${prefix} ${validSec} ${preferredSec}`);
  return JSON.stringify([
    lifetimeSec,
    reachableMs,
    mtuBytes,
    managed,
    otherConfig,
    list.sort(),
    resolvers,
    searchDomains,
  ]);
}
