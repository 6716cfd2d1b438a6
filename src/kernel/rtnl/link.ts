/** Links as netlink messages (linux/if_link.h, net/core/rtnetlink.c): struct ifinfomsg and IFLA_* attributes. */
import { FLOOD_MAC } from '../../model/address/mac.ts';
import { AF_INET, AF_INET6 } from '../libc.ts';
import { AttributeTable } from '../netlink/attribute-table.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import { type Message, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, requireStruct } from '../netlink/netlink.ts';
import { IFINFOMSG_BYTES, readLinkHeader, writeLinkHeader } from './link-header.ts';
import { hasOptionOf, OPTION_TYPE_MAX, readOddOptions, writeOptions } from './link-options.ts';
import { type BridgeAttributes, type BridgePortAttributes, type Link, NO_SETTING } from './objects.ts';
import type { KernelOperation, LinkChange } from './operation.ts';
import { readVxlan, writeVxlan } from './vxlan.ts';

/** Message type of a link that was added or changed (linux/rtnetlink.h). */
export const RTM_NEWLINK = 16;
/** Message type of a link that was removed. */
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_AF_SPEC = 26;
const IFLA_NET_NS_FD = 28;
const IFLA_GROUP = 27;
const IFLA_EXT_MASK = 29;
const IFLA_LINK_NETNSID = 37;
const IFLA_PERM_ADDRESS = 54;

/** Asks for links without their counters, which are half of the bytes and which no code here reads. */
const RTEXT_FILTER_SKIP_STATS = 0x8;

const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_INET_CONF = 1;
const IFLA_INET6_CONF = 2;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IPV4_DEVCONF_FORWARDING = 1;
const IPV4_DEVCONF_ACCEPT_REDIRECTS = 4;
const IPV4_DEVCONF_ARP_IGNORE = 19;
const DEVCONF_FORWARDING = 0;
const DEVCONF_ACCEPT_RA = 3;
const DEVCONF_ACCEPT_REDIRECTS = 4;
const DEVCONF_AUTOCONF = 5;
const DEVCONF_DISABLE_IPV6 = 26;
const VETH_INFO_PEER = 1;

const IFLA_BR_FORWARD_DELAY = 1;
const IFLA_BR_ROOT_ID = 10;
const IFLA_BR_BRIDGE_ID = 11;
/** USER_HZ: the kernel counts the delay in hundredths of a second. */
const DELAY_UNITS_PER_SEC = 100;
const IFLA_BR_MULTI_BOOLOPT = 46;
const IFLA_BR_FDB_MAX_LEARNED = 49;
/** The bit of BR_BOOLOPT_NO_LL_LEARN (linux/if_bridge.h). */
const NO_LINK_LOCAL_LEARNING = 1 << 0;

const IFLA_BRPORT_LEARNING = 8;
const IFLA_BRPORT_FLUSH = 21;
const IFLA_MACVLAN_MODE = 1;
/** Packets between links on one lower link do not leave the machine (linux/if_link.h). */
const MACVLAN_MODE_BRIDGE = 4;
const NOTHING = new Uint8Array();
const IFLA_BRPORT_LOCKED = 39;

/** IN6_ADDR_GEN_MODE_*, by number. */
const ADDRESS_MODES = ['eui64', 'none', 'stable-privacy', 'random'] as const;

type LinkAdd = Extract<KernelOperation, { do: 'link-add' }>;

/** Writes one message that makes a link; the kernel refuses it when the name exists. */
export function writeLinkAdd(writer: MessageWriter, link: LinkAdd): void {
  writer.begin(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
  writeLinkHeader(writer, undefined, link.up);
  writer.changesName(link.name);
  writer.attributeText(IFLA_IFNAME, link.name);
  if (link.mac !== undefined) writer.attributeMac(IFLA_ADDRESS, link.mac);
  if (link.mtuBytes !== undefined) writer.attributeU32(IFLA_MTU, link.mtuBytes);
  if (link.group !== undefined) writer.attributeU32(IFLA_GROUP, link.group);
  if (link.master !== undefined) writer.attributeLink(IFLA_MASTER, link.master);
  if (link.lower !== undefined) writer.attributeLink(IFLA_LINK, link.lower);
  if (link.netnsFd !== undefined) writer.attributeU32(IFLA_NET_NS_FD, link.netnsFd);
  writer.nested(IFLA_LINKINFO, () => {
    writer.attributeText(IFLA_INFO_KIND, link.kind);
    const { peer, vxlan, bridge, lower } = link;
    if (lower !== undefined)
      writer.nested(IFLA_INFO_DATA, () => writer.attributeU32(IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE));
    if (vxlan !== undefined) writer.nested(IFLA_INFO_DATA, () => writeVxlan(writer, vxlan));
    if (bridge !== undefined) writer.nested(IFLA_INFO_DATA, () => writeBridge(writer, bridge));
    if (peer !== undefined) {
      writer.nested(IFLA_INFO_DATA, () =>
        writer.nested(VETH_INFO_PEER, () => {
          writeLinkHeader(writer);
          writer.changesName(peer);
          writer.attributeText(IFLA_IFNAME, peer);
        }),
      );
    }
  });
  writer.end();
}

/**
 * Writes one message, or several where the kernel's order within one message is wrong. The kernel looks at the address
 * mode before it gives a link with too small an MTU its IPv6 back. It sets a link up before it looks at the address mode,
 * which makes the very address that `none` shall prevent. And it sets a port's attributes before the port joins its
 * bridge, and before the port is up.
 */
export function writeLinkSet(writer: MessageWriter, link: string, change: LinkChange): void {
  const { up, port, options, addressMode, mtuBytes, ...rest } = change;
  const hasPortOption = hasOptionOf('port', options);
  const parts: LinkChange[] = [
    mtuBytes !== undefined && addressMode !== undefined ? { mtuBytes } : {},
    {
      ...rest,
      ...(mtuBytes !== undefined && addressMode === undefined && { mtuBytes }),
      ...(addressMode !== undefined && { addressMode }),
      ...(up !== undefined && addressMode === undefined && { up }),
      ...(port !== undefined && !rest.master && { port }),
      ...(options !== undefined && !hasPortOption && { options }),
    },
    {
      ...(up !== undefined && addressMode !== undefined && { up }),
      ...(port !== undefined && rest.master && { port }),
    },
    options !== undefined && hasPortOption ? { options } : {},
  ].filter((part) => Object.keys(part).length > 0);
  let name = link;
  for (const part of parts) {
    writeChange(writer, name, part);
    name = part.name ?? name;
  }
}

/**
 * Only RTM_NEWLINK looks at IFLA_LINKINFO. But RTM_NEWLINK with a group and the name of an absent link means "every
 * link of that group", so this message gives the index, never only the name.
 */
function writeChange(writer: MessageWriter, link: string, change: LinkChange): void {
  const { options } = change;
  const hasInside = (['vxlan', 'bridge', 'port'] as const).some((place) => hasOptionOf(place, options));
  const attributes = change.vxlan !== undefined || change.bridge !== undefined || change.port !== undefined;
  const inside = attributes || hasInside;
  writer.begin(inside ? RTM_NEWLINK : RTM_SETLINK, NLM_F_REQUEST);
  if (inside || change.name !== undefined) {
    writeLinkHeader(writer, link, change.up, options);
    if (change.name !== undefined) {
      writer.changesName(link);
      writer.changesName(change.name);
      writer.attributeText(IFLA_IFNAME, change.name);
    }
  } else {
    writeLinkHeader(writer, undefined, change.up, options);
    writer.attributeText(IFLA_IFNAME, link);
  }
  if (change.mac !== undefined) writer.attributeMac(IFLA_ADDRESS, change.mac);
  if (change.mtuBytes !== undefined) writer.attributeU32(IFLA_MTU, change.mtuBytes);
  if (change.group !== undefined) writer.attributeU32(IFLA_GROUP, change.group);
  if (change.master === '') writer.attributeU32(IFLA_MASTER, 0);
  else if (change.master !== undefined) writer.attributeLink(IFLA_MASTER, change.master);
  if (change.alias !== undefined) writer.attributeText(IFLA_IFALIAS, change.alias);
  if (change.addressMode !== undefined) writeAddressMode(writer, change.addressMode);
  writeOptions(writer, 'link', options ?? {});
  if (inside) writer.nested(IFLA_LINKINFO, () => writeLinkInfo(writer, change));
  writer.end();
}

function writeAddressMode(writer: MessageWriter, mode: Link['addressMode']): void {
  writer.nested(IFLA_AF_SPEC, () =>
    writer.nested(AF_INET6, () => writer.attributeU8(IFLA_INET6_ADDR_GEN_MODE, ADDRESS_MODES.indexOf(mode))),
  );
}

function writeLinkInfo(writer: MessageWriter, { vxlan = {}, bridge = {}, port = {}, options = {} }: LinkChange): void {
  if (Object.keys(vxlan).length > 0 || hasOptionOf('vxlan', options)) {
    writer.attributeText(IFLA_INFO_KIND, 'vxlan');
    writer.nested(IFLA_INFO_DATA, () => {
      writeVxlan(writer, vxlan);
      writeOptions(writer, 'vxlan', options);
    });
  }
  if (Object.keys(bridge).length > 0 || hasOptionOf('bridge', options)) {
    writer.attributeText(IFLA_INFO_KIND, 'bridge');
    writer.nested(IFLA_INFO_DATA, () => {
      writeBridge(writer, bridge);
      writeOptions(writer, 'bridge', options);
    });
  }
  if (Object.keys(port).length > 0 || hasOptionOf('port', options)) {
    writer.attributeText(IFLA_INFO_SLAVE_KIND, 'bridge');
    writer.nested(IFLA_INFO_SLAVE_DATA, () => {
      if (port.learning !== undefined) writer.attributeU8(IFLA_BRPORT_LEARNING, Number(port.learning));
      if (port.flush) writer.attributeBytes(IFLA_BRPORT_FLUSH, NOTHING);
      if (port.locked !== undefined) writer.attributeU8(IFLA_BRPORT_LOCKED, Number(port.locked));
      writeOptions(writer, 'port', options);
    });
  }
}

/**
 * Writes one message that deletes a link. Other links may go with it: the other end of a veth, or links on top of it.
 */
export function writeLinkDelete(writer: MessageWriter, link: string): void {
  writer.begin(RTM_DELLINK, NLM_F_REQUEST);
  writer.changesName();
  writeLinkHeader(writer);
  writer.attributeText(IFLA_IFNAME, link);
  writer.end();
}

/** Writes one message that moves a link into another namespace. */
export function writeLinkMove(writer: MessageWriter, link: string, netnsFd: number): void {
  writer.begin(RTM_NEWLINK, NLM_F_REQUEST);
  writer.changesName();
  writeLinkHeader(writer, link);
  writer.attributeU32(IFLA_NET_NS_FD, netnsFd);
  writer.end();
}

/** Writes one message that deletes all links of a group. */
export function writeGroupDelete(writer: MessageWriter, group: number): void {
  writer.begin(RTM_DELLINK, NLM_F_REQUEST);
  writer.changesName();
  writeLinkHeader(writer);
  writer.attributeU32(IFLA_GROUP, group);
  writer.end();
}

/**
 * Writes a request for links.
 * @param flags NLM_F_DUMP for all links, else 0
 * @param link the name of one link; without it, all
 */
export function writeLinkGet(writer: MessageWriter, flags: number, link?: string): void {
  writer.begin(RTM_GETLINK, NLM_F_REQUEST | flags);
  writeLinkHeader(writer);
  if (link !== undefined) writer.attributeText(IFLA_IFNAME, link);
  writer.attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  writer.end();
}

/** A kernel before 6.7 accepts the limit and ignores it. */
function writeBridge(writer: MessageWriter, { learnedMax, learnsLinkLocal, forwardDelaySec }: BridgeAttributes): void {
  if (forwardDelaySec !== undefined) {
    writer.attributeU32(IFLA_BR_FORWARD_DELAY, forwardDelaySec * DELAY_UNITS_PER_SEC);
  }
  if (learnedMax !== undefined) writer.attributeU32(IFLA_BR_FDB_MAX_LEARNED, learnedMax);
  if (learnsLinkLocal === undefined) return;
  // struct br_boolopt_multi: the values, and which of them to set.
  writer.nested(IFLA_BR_MULTI_BOOLOPT, () => {
    writer.u32(learnsLinkLocal ? 0 : NO_LINK_LOCAL_LEARNING);
    writer.u32(NO_LINK_LOCAL_LEARNING);
  });
}

/** Kinds of links that send and receive through another link. */
const STACKED_KINDS: ReadonlySet<string> = new Set(['vlan', 'macvlan', 'macvtap', 'ipvlan', 'ipvtap']);

const attributes = new AttributeTable(IFLA_PERM_ADDRESS);
const linkInfo = new AttributeTable(IFLA_INFO_SLAVE_DATA);
const vxlanData = new AttributeTable(OPTION_TYPE_MAX.vxlan);
const bridgeData = new AttributeTable(IFLA_BR_FDB_MAX_LEARNED);
const portData = new AttributeTable(OPTION_TYPE_MAX.port);
const families = new AttributeTable(AF_INET6);
const inet = new AttributeTable(IFLA_INET_CONF);
const inet6 = new AttributeTable(IFLA_INET6_ADDR_GEN_MODE);

/**
 * Reads a whole link from a message of the kernel; not for messages of AF_BRIDGE.
 * @throws MESH_KERNEL_MALFORMED
 */
export function readLink(message: Message): Link {
  requireStruct(message, IFINFOMSG_BYTES);
  const { bytes, start, end } = message;
  const { odd: flags, ...header } = readLinkHeader(message);
  attributes.parse(bytes, start + IFINFOMSG_BYTES, end);
  linkInfo.parseNested(attributes, IFLA_LINKINFO);
  const kind = linkInfo.text(IFLA_INFO_KIND);
  const permanentMac = attributes.mac(IFLA_PERM_ADDRESS);
  // For a veth, the attribute is the other end, and for a tunnel the underlay.
  const stacked = STACKED_KINDS.has(kind) && attributes.has(IFLA_LINK) && !attributes.has(IFLA_LINK_NETNSID);
  return {
    ...header,
    name: attributes.text(IFLA_IFNAME),
    kind,
    mac: attributes.mac(IFLA_ADDRESS) ?? FLOOD_MAC,
    ...(permanentMac !== undefined && { permanentMac }),
    mtuBytes: attributes.u32(IFLA_MTU),
    master: attributes.u32(IFLA_MASTER),
    ...(stacked && { lower: attributes.u32(IFLA_LINK) }),
    group: attributes.u32(IFLA_GROUP),
    alias: attributes.text(IFLA_IFALIAS),
    ...readFamilies(),
    ...(kind === 'vxlan' && { vxlan: readVxlan(vxlanData.parseNested(linkInfo, IFLA_INFO_DATA)) }),
    ...(kind === 'bridge' && readBridge()),
    // Last: it reads the attributes of the kind once more.
    ...readOdd(kind, flags),
    ...(linkInfo.text(IFLA_INFO_SLAVE_KIND) === 'bridge' && {
      port: readPort(portData.parseNested(linkInfo, IFLA_INFO_SLAVE_DATA)),
    }),
  };
}

/**
 * Reads a bridge's message about one of its ports (family AF_BRIDGE), as `bridge link set` causes it.
 * @returns undefined when the message does not carry the port's attributes
 * @throws MESH_KERNEL_MALFORMED
 */
export function readPortChange(message: Message): { link: number; port: BridgePortAttributes } | undefined {
  requireStruct(message, IFINFOMSG_BYTES);
  const { bytes, start, end } = message;
  attributes.parse(bytes, start + IFINFOMSG_BYTES, end);
  if (!attributes.has(IFLA_PROTINFO)) return undefined;
  return { link: bytes.readUInt32LE(start + 4), port: readPort(portData.parseNested(attributes, IFLA_PROTINFO)) };
}

/**
 * The per-family settings of a link. They come as one array for each family: IPv4 counts from 1 and IPv6 from 0
 * (linux/ip.h, linux/ipv6.h). A link without IPv6 (its MTU is below 1280, or IPv6 is off) generates no addresses: mode
 * `none`.
 */
function readFamilies(): Pick<Link, 'addressMode' | 'forwards' | 'forwardsIpv6' | 'conf'> {
  families.parseNested(attributes, IFLA_AF_SPEC);
  inet.parseNested(families, AF_INET);
  inet6.parseNested(families, AF_INET6);
  return {
    addressMode: inet6.has(IFLA_INET6_ADDR_GEN_MODE)
      ? (ADDRESS_MODES[inet6.u8(IFLA_INET6_ADDR_GEN_MODE)] ?? 'none')
      : 'none',
    forwards: inet.u32At(IFLA_INET_CONF, IPV4_DEVCONF_FORWARDING - 1) !== 0,
    ...(inet6.has(IFLA_INET6_CONF) && inet6.u32At(IFLA_INET6_CONF, DEVCONF_FORWARDING) !== 0 && { forwardsIpv6: true }),
    conf: {
      disableIpv6: setting(inet6, IFLA_INET6_CONF, DEVCONF_DISABLE_IPV6),
      acceptRa: setting(inet6, IFLA_INET6_CONF, DEVCONF_ACCEPT_RA),
      autoconf: setting(inet6, IFLA_INET6_CONF, DEVCONF_AUTOCONF),
      acceptRedirects: setting(inet6, IFLA_INET6_CONF, DEVCONF_ACCEPT_REDIRECTS),
      acceptRedirects4: setting(inet, IFLA_INET_CONF, IPV4_DEVCONF_ACCEPT_REDIRECTS - 1),
      arpIgnore: setting(inet, IFLA_INET_CONF, IPV4_DEVCONF_ARP_IGNORE - 1),
    },
  };
}

function setting(family: AttributeTable, array: number, index: number): number {
  return family.has(array) ? family.u32At(array, index) : NO_SETTING;
}

/** The options of a link and of its kind that are not as the kernel makes them. @param flags those that the header has */
function readOdd(kind: string, flags: Link['odd']): Pick<Link, 'odd'> {
  if (kind !== 'vxlan' && kind !== 'bridge') return {};
  const ofKind = readOddOptions(kind, kind === 'vxlan' ? vxlanData : bridgeData);
  const odd = { ...flags, ...readOddOptions('link', attributes), ...ofKind };
  return Object.keys(odd).length === 0 ? {} : { odd };
}

function readBridge(): Pick<Link, 'bridge'> {
  bridgeData.parseNested(linkInfo, IFLA_INFO_DATA);
  const isRoot = [0, 1].every(
    (half) => bridgeData.u32At(IFLA_BR_ROOT_ID, half) === bridgeData.u32At(IFLA_BR_BRIDGE_ID, half),
  );
  return {
    bridge: {
      ...(bridgeData.has(IFLA_BR_FDB_MAX_LEARNED) && { learnedMax: bridgeData.u32(IFLA_BR_FDB_MAX_LEARNED) }),
      ...(bridgeData.has(IFLA_BR_MULTI_BOOLOPT) && {
        learnsLinkLocal: (bridgeData.u32(IFLA_BR_MULTI_BOOLOPT) & NO_LINK_LOCAL_LEARNING) === 0,
      }),
      ...(isRoot && { forwardDelaySec: bridgeData.u32(IFLA_BR_FORWARD_DELAY) / DELAY_UNITS_PER_SEC }),
    },
  };
}

function readPort(data: AttributeTable): BridgePortAttributes {
  const odd = readOddOptions('port', data);
  return {
    learning: data.u8(IFLA_BRPORT_LEARNING) !== 0,
    locked: data.u8(IFLA_BRPORT_LOCKED) !== 0,
    ...(Object.keys(odd).length > 0 && { odd }),
  };
}
