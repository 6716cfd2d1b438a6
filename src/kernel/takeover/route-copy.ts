/** A route by a link, made a route by another link with its metric, its source and all else (linux/rtnetlink.h). */
import { AF_INET, AF_INET6 } from '../libc.ts';
import { type Message, malformed } from '../netlink/netlink.ts';
import { attributeOf, type CopiedMessage, copyMessage, numberOf, u32, withAttributes } from './copied-message.ts';

const RTMSG_BYTES = 12;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_MULTIPATH = 9;
const RTA_CACHEINFO = 12;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTA_EXPIRES = 23;
const RTA_NH_ID = 30;

const RTN_UNICAST = 1;
const RTM_F_CLONED = 0x200;
const RTNH_F_PERVASIVE = 2;
const RTNH_F_ONLINK = 4;
const RTNEXTHOP_BYTES = 8;
/** The kernel made the route of an address, or as its own. */
const RTPROT_KERNEL = 2;
/** A router advertised the route. */
const RTPROT_RA = 9;
/** The metric of the routes that the kernel itself makes of advertisements (IP6_RT_PRIO_USER). */
const METRIC_OF_KERNEL = 1024;
/** USER_HZ: the kernel tells the rest of a lifetime in hundredths of a second. */
const TICKS_PER_SEC = 100;
/** `rta_expires` is the third number of struct rta_cacheinfo. */
const EXPIRES_AT = 8;

/** A route as the kernel told it. */
export interface RouteCopy {
  readonly family: 4 | 6;
  /** The indexes of all links that it leads by. */
  readonly links: readonly number[];
  readonly destination: Buffer;
  readonly length: number;
  readonly table: number;
  readonly protocol: number;
  readonly byGateway: boolean;
  /** Its next hop is an object of its own (`ip nexthop`). */
  readonly byNexthopObject: boolean;
  readonly message: CopiedMessage;
}

/** Copies a route that packets take. @returns undefined for any other, such as those to local addresses. @throws MESH_KERNEL_MALFORMED */
export function copyRoute(message: Message): RouteCopy | undefined {
  const copy = copyMessage(message, RTMSG_BYTES);
  const { struct } = copy;
  const family = struct.readUInt8(0);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  if (struct.readUInt8(7) !== RTN_UNICAST || (struct.readUInt32LE(8) & RTM_F_CLONED) !== 0) return undefined;
  const multipath = attributeOf(copy, RTA_MULTIPATH);
  const own = attributeOf(copy, RTA_OIF);
  return {
    family: family === AF_INET ? 4 : 6,
    links: multipath !== undefined ? nexthopsOf(multipath).map(({ link }) => link) : own ? [own.readUInt32LE()] : [],
    destination: attributeOf(copy, RTA_DST) ?? Buffer.alloc(0),
    length: struct.readUInt8(1),
    table: numberOf(copy, RTA_TABLE) || struct.readUInt8(4),
    protocol: struct.readUInt8(5),
    byGateway: attributeOf(copy, RTA_GATEWAY) !== undefined || attributeOf(copy, RTA_VIA) !== undefined || !!multipath,
    byNexthopObject: attributeOf(copy, RTA_NH_ID) !== undefined,
    message: copy,
  };
}

/** Whether the kernel makes the route by itself on each link with IPv6: to link-local addresses and to groups. */
export function isOfEachLink({ family, length, destination, protocol }: RouteCopy): boolean {
  if (family !== 6 || protocol !== RTPROT_KERNEL) return false;
  const [first = 0, second = 0] = destination;
  return (length === 64 && first === 0xfe && second === 0x80) || (length === 8 && first === 0xff);
}

/** The message that removes the route, as it is. */
export function routeGone({ message }: RouteCopy): CopiedMessage {
  const copy = withAttributes(message, new Map([[RTA_CACHEINFO, undefined]]));
  return cleaned(copy);
}

/**
 * The message that makes the route lead by another link. A route of an advertisement gets a metric that is one higher: the kernel takes
 * only a route that it made itself for the one that the next advertisement renews. So that one comes in before the copy, and the copy
 * goes when its time is over.
 */
export function routeOn({ message, family, protocol }: RouteCopy, from: number, to: number): CopiedMessage {
  const multipath = attributeOf(message, RTA_MULTIPATH);
  const single = attributeOf(message, RTA_OIF);
  const expires = attributeOf(message, RTA_CACHEINFO);
  const ticks = expires !== undefined && expires.length >= EXPIRES_AT + 4 ? expires.readInt32LE(EXPIRES_AT) : 0;
  const metric = numberOf(message, RTA_PRIORITY);
  const advertised = family === 6 && protocol === RTPROT_RA && metric === METRIC_OF_KERNEL;
  const copy = withAttributes(
    message,
    new Map<number, Buffer | undefined>([
      [RTA_CACHEINFO, undefined],
      ...(single !== undefined
        ? [[RTA_OIF, u32(single.readUInt32LE() === from ? to : single.readUInt32LE())] as const]
        : []),
      ...(multipath !== undefined ? [[RTA_MULTIPATH, movedNexthops(multipath, from, to)] as const] : []),
      ...(family === 6 && ticks > 0 ? [[RTA_EXPIRES, u32(Math.ceil(ticks / TICKS_PER_SEC))] as const] : []),
      ...(advertised ? [[RTA_PRIORITY, u32(metric + 1)] as const] : []),
    ]),
  );
  return cleaned(copy);
}

/** Without the flags that only the kernel sets, such as that of a link without carrier. */
function cleaned(copy: CopiedMessage): CopiedMessage {
  const flags = copy.struct.readUInt32LE(8);
  copy.struct.writeUInt32LE(flags & (RTNH_F_PERVASIVE | RTNH_F_ONLINK), 8);
  return copy;
}

/** The next hops of a route with several (struct rtnexthop): where each is, and the link that it leads by. */
function nexthopsOf(bytes: Buffer): { readonly at: number; readonly link: number }[] {
  const hops: { at: number; link: number }[] = [];
  for (let at = 0; at + RTNEXTHOP_BYTES <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < RTNEXTHOP_BYTES || length > bytes.length - at) throw malformed(`next hop of length ${length}`);
    hops.push({ at, link: bytes.readInt32LE(at + 4) });
    at += (length + 3) & ~3;
  }
  return hops;
}

function movedNexthops(bytes: Buffer, from: number, to: number): Buffer {
  const moved = Buffer.from(bytes);
  for (const { at, link } of nexthopsOf(bytes)) {
    moved.writeUInt8(moved.readUInt8(at + 2) & (RTNH_F_PERVASIVE | RTNH_F_ONLINK), at + 2);
    if (link === from) moved.writeInt32LE(to, at + 4);
  }
  return moved;
}
