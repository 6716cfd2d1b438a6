/** struct ifinfomsg, with which each message about a link begins (linux/rtnetlink.h): family, type, index, flags. */
import type { MessageWriter } from '../netlink/message-writer.ts';
import { type Message, requireStruct } from '../netlink/netlink.ts';
import type { LinkOptions } from './link-options.ts';
import type { Link } from './objects.ts';

/** Size of the struct, before the attributes. */
export const IFINFOMSG_BYTES = 16;
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_NOARP = 0x80;
const IFF_MULTICAST = 0x1000;
const IFF_LOWER_UP = 0x10000;
const IFF_DORMANT = 0x20000;

/**
 * Writes the header of a request.
 * @param link name of the link; undefined where an attribute names it, or for all links
 * @param up the state to set; undefined leaves it
 * @param options options to set; two of these are flags, which only get their default here
 */
export function writeLinkHeader(writer: MessageWriter, link?: string, up?: boolean, options: LinkOptions = {}): void {
  writer.u32(0);
  if (link === undefined) writer.u32(0);
  else writer.linkIndex(link);
  const arp = options['link arp'] !== undefined ? IFF_NOARP : 0;
  const multicast = options['link multicast'] !== undefined ? IFF_MULTICAST : 0;
  // The flags, and which of them to change.
  writer.u32((up === true ? IFF_UP : 0) | multicast);
  writer.u32((up === undefined ? 0 : IFF_UP) | multicast | arp);
}

/** The address family of a link message. A message of AF_BRIDGE describes only a bridge port, not the whole link. */
export function linkFamily(message: Message): number {
  requireStruct(message, IFINFOMSG_BYTES);
  return message.bytes.readUInt8(message.start);
}

/** The part of a link that its header has, and the flags that are not at their default. */
export function readLinkHeader({ bytes, start }: Message): Pick<Link, 'index' | 'up' | 'running' | 'loopback' | 'odd'> {
  const flags = bytes.readUInt32LE(start + 8);
  return {
    index: bytes.readUInt32LE(start + 4),
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_LOWER_UP) !== 0 && (flags & IFF_DORMANT) === 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    odd: {
      ...((flags & IFF_NOARP) !== 0 && { 'link arp': 0 }),
      ...((flags & IFF_MULTICAST) === 0 && { 'link multicast': 0 }),
    },
  };
}
