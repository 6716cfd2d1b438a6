/** libvirt's form of a network, as an order to the catalogue. */
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { DNSMASQ_NAMESPACE, OWN_NAMESPACE, readOwnElement } from './own-metadata.ts';
import {
  type Carrier,
  checkCarrier,
  type Forward,
  type ForwardMode,
  isManaged,
  readCarrier,
  readForward,
} from './parts/carrier-xml.ts';
import { dnsDrops, readDns } from './parts/dns-xml.ts';
import { checkByDriver, checkForwardAddress } from './parts/driver-rules.ts';
import { KEPT_KEY, type Kept, type KeptPortGroup } from './parts/kept.ts';
import { readBandwidth, readPortGroup, readVirtualPort, readVlan } from './parts/limits-xml.ts';
import type { Notes, Taken } from './parts/notes.ts';
import { checkGateway, checkLocalPtr, readStaticRoute, readSubnet, subnetElements } from './parts/subnet-xml.ts';
import { overlaid } from './residual.ts';
import {
  attribute,
  childOf,
  childrenInNamespace,
  childrenOf,
  contentOf,
  refusal,
  word,
  yesNo,
} from './text/element-reader.ts';
import { copyOf } from './text/xml-copy.ts';
import { LIBVIRT_CODE, XmlNetworkError } from './text/xml-error.ts';
import type { XmlElement } from './text/xml-tree.ts';

const { internal, noName, xmlDetail } = LIBVIRT_CODE;

/** The modes of routing, by libvirt's modes. On cards and on bridges of others, nothing is routed. */
const ROUTING: Readonly<Record<ForwardMode, string>> = {
  none: 'isolated',
  nat: 'nat',
  route: 'routed',
  open: 'open',
  bridge: 'none',
  private: 'none',
  vepa: 'none',
  passthrough: 'none',
  hostdev: 'none',
};

/** The order of a document. @throws XmlNetworkError */
export function readLibvirt(root: XmlElement, { places, warn }: Taken): NetworkOrder {
  const written: Record<string, string> = {};
  const name = readName(root);
  const notes: Notes = {
    name,
    wrote: (part, how) => {
      written[part] = how;
    },
    placed: (path, { offset }) => places.set(path, offset),
    warn,
  };
  const uuid = readUuid(root);
  const title = readTitle(root);
  const description = textIn(root, 'description');
  const guestIpv6 = readGuestIpv6(root, name);
  const trustGuestRxFilters = yesNo(root, 'trustGuestRxFilters');
  const dns = readDns(root, notes);
  const carrier = readCarrier(root, notes);
  const limits = readLimits(root, notes);
  const subnets = subnetElements(root).map((element, index) => {
    notes.placed(`subnets.${index}`, element);
    return { element, subnet: readSubnet(element, notes) };
  });
  const networks = subnets.map(({ subnet }) => subnet);
  const routes = childrenOf(root, 'route').map((element, index) => {
    notes.placed(`routes.${index}`, element);
    const route = readStaticRoute(element, notes);
    checkGateway(element, route, networks, notes);
    return route;
  });
  const forward = readForward(root, notes);
  const port = childOf(root, 'virtualport');
  const virtualPort = port && readVirtualPort(port);
  checkForwardAddress(root, forward, notes);
  checkCarrier(root, carrier, forward, notes);
  for (const { element, subnet } of subnets) checkLocalPtr(element, subnet, notes);
  checkByDriver(root, forward, carrier, notes);
  place(root, notes);
  warnOfDrops(root, carrier, notes);
  const { own, foreign } = readMetadata(root);
  const kept: Kept = {
    ...(trustGuestRxFilters !== undefined && { trustGuestRxFilters }),
    ...(description?.includes('\n') && { description }),
    ...(foreign.length > 0 && { metadata: foreign }),
    ...(virtualPort !== undefined && { virtualPort }),
    ...(Object.keys(limits.keptGroups).length > 0 && { portGroups: limits.keptGroups }),
    ...(forward.driver !== undefined && { driver: forward.driver }),
    ...(Object.keys(written).length > 0 && { written }),
    ...(own !== undefined && hasComment(own) && !namesKept(own) && { ownMetadata: copyOf(own).lines.join('\n') }),
  };
  const plain: NetworkOrder = {
    name,
    ...(uuid !== undefined && { uuid }),
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description: lineOf(description) }),
    ...carried(carrier, forward),
    hostAddress: { kind: networks.length > 0 ? 'given' : 'none' },
    subnets: networks,
    routes,
    routing: {
      mode: ROUTING[forward.mode],
      via: isManaged(forward.mode) ? forward.devices : [],
      rules: [],
      ...(forward.nat !== undefined && { nat: forward.nat }),
    },
    ...(dns !== undefined && { dns }),
    ...(limits.guests !== undefined && { guests: limits.guests }),
    ...(guestIpv6 && { guestIpv6 }),
    ...(limits.bandwidth !== undefined && { bandwidth: limits.bandwidth }),
    ...dnsmasqOptions(root),
    // A network of libvirt is on the machine where it was defined.
    span: { kind: 'nodes', nodes: ['host0'] },
    extra: Object.keys(kept).length > 0 ? { [KEPT_KEY]: kept } : {},
  };
  if (own === undefined) return plain;
  notes.placed('', own);
  return overlaidBy(plain, own);
}

/**
 * Whether our own element itself says what is kept under libvirt's key. Its text is not kept then: it would take the place of that, and
 * the next document would say something else.
 */
function namesKept(own: XmlElement): boolean {
  return Object.hasOwn(Object(readOwnElement(own).extra), KEPT_KEY);
}

/** The parts of our own element are laid over the plain ones; what is kept with the network stays. */
function overlaidBy(plain: NetworkOrder, own: XmlElement): NetworkOrder {
  const parts = readOwnElement(own);
  const whole = overlaid(plain, parts);
  return { ...whole, extra: { ...Object(parts.extra), ...Object(plain.extra) } };
}

function readName(root: XmlElement): string {
  const element = childOf(root, 'name');
  const name = element === undefined ? '' : contentOf(element);
  if (element === undefined || name === '') {
    throw new XmlNetworkError(noName, '', {
      offset: (element ?? root).offset,
      rule: 'A network has a name.',
      remedy: 'Write <name>blue</name>',
    });
  }
  const odd = /[/\n]/.exec(name)?.[0];
  if (odd === undefined) return name;
  const message = `invalid char in name: ${odd}`;
  throw refusal(message, { at: element, code: xmlDetail, rule: 'A name has neither slashes nor line ends.' });
}

function readUuid(root: XmlElement): string | undefined {
  const element = childOf(root, 'uuid');
  if (element === undefined || contentOf(element) === '') return undefined;
  const hex = contentOf(element).trim().replaceAll('-', '').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(hex)) {
    const rule = 'A UUID is 32 hexadecimal digits, as 6fa459ea-ee8a-4ca4-894e-db77e160355e.';
    throw refusal('malformed uuid element', { at: element, code: internal, rule, remedy: 'Leave <uuid> out' });
  }
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function readTitle(root: XmlElement): string | undefined {
  const title = textIn(root, 'title');
  const element = childOf(root, 'title');
  if (element === undefined || !title?.includes('\n')) return title;
  throw refusal("network title can't contain newlines", {
    at: element,
    rule: 'A title has one line.',
    remedy: 'Use <description>',
  });
}

function textIn(root: XmlElement, name: string): string | undefined {
  const element = childOf(root, name);
  return (element && contentOf(element)) || undefined;
}

/** The model's description has one line. */
export function lineOf(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, 1_000);
}

function readGuestIpv6(root: XmlElement, name: string): boolean {
  const at = attribute(root, 'ipv6');
  if (at === undefined || at.value === 'yes' || at.value === 'no') return at?.value === 'yes';
  throw refusal(`Invalid ipv6 setting '${at.value}' in network '${name}'`, { at, rule: 'The word is yes or no.' });
}

/** Bridge, type and MTU. */
function carried(carrier: Carrier, { mode, devices, cards, physicalFunction, managed }: Forward): NetworkOrder {
  const { name, mac, stp, forwardDelaySec, macTable, zone, mtuBytes } = carrier;
  const isNamed = name !== undefined && !name.includes('%');
  if (isManaged(mode)) {
    const given = { ...(isNamed && { name }), ...(mac !== undefined && { mac }), ...(zone !== undefined && { zone }) };
    return {
      type: { kind: 'bridge' },
      bridge: { ...given, stp, forwardDelaySec, macTable },
      ...(mtuBytes !== undefined && { mtuBytes }),
    };
  }
  if (mode === 'bridge' && name !== undefined) return { type: { kind: 'foreign-bridge', name } };
  const pool = physicalFunction === undefined ? {} : { physicalFunction };
  return mode === 'hostdev'
    ? { type: { kind: 'hostdev', cards, managed, ...pool } }
    : { type: { kind: 'macvtap', mode, cards: devices, ...pool } };
}

/** What guests may do at their ports. */
function readLimits(root: XmlElement, notes: Notes) {
  const [bandwidth, vlan, port] = ['bandwidth', 'vlan', 'port'].map((one) => childOf(root, one));
  const rates = bandwidth && readBandwidth(bandwidth);
  const tags = vlan && readVlan(vlan);
  const isolation = port && yesNo(port, 'isolated');
  const keptGroups: Record<string, KeptPortGroup> = {};
  const portGroups = childrenOf(root, 'portgroup').map((element, index) => {
    notes.placed(`guests.portGroups.${index}`, element);
    const { group, kept } = readPortGroup(element);
    if (Object.keys(kept).length > 0) keptGroups[group.name] = kept;
    return group;
  });
  const limits = { ...(isolation !== undefined && { isolation }), ...tags };
  const isThere = Object.keys(limits).length > 0 || portGroups.length > 0;
  return {
    bandwidth: rates !== undefined && Object.keys(rates).length > 0 ? rates : undefined,
    guests: isThere ? { ...limits, portGroups } : undefined,
    keptGroups,
  };
}

function dnsmasqOptions(root: XmlElement): NetworkOrder {
  const [options] = childrenInNamespace(root, DNSMASQ_NAMESPACE).filter(({ local }) => local === 'options');
  if (options === undefined) return {};
  const lines = childrenInNamespace(options, DNSMASQ_NAMESPACE)
    .filter(({ local }) => local === 'option')
    .map((option) => {
      const value = word(option, 'value');
      if (value !== undefined) return value;
      const rule = 'An option of dnsmasq is a line of its configuration: value.';
      throw refusal('No dnsmasq options value specified', { at: option, code: internal, rule });
    });
  return lines.length > 0 ? { dnsmasqOptions: lines } : {};
}

/** Our own element, and those of other programs: one for each namespace; what has none is dropped, as libvirt does. */
function readMetadata(root: XmlElement): { readonly own: XmlElement | undefined; readonly foreign: readonly string[] } {
  const metadata = childOf(root, 'metadata');
  const elements = (metadata?.children ?? []).filter((child) => child.kind === 'element' && child.namespace !== '');
  const firsts = new Map<string, XmlElement>();
  for (const element of elements) {
    if (element.kind === 'element' && !firsts.has(element.namespace)) firsts.set(element.namespace, element);
  }
  const own = firsts.get(OWN_NAMESPACE);
  firsts.delete(OWN_NAMESPACE);
  return { own, foreign: [...firsts.values()].map((element) => copyOf(element).lines.join('\n')) };
}

function hasComment(element: XmlElement): boolean {
  return element.children.some((child) => (child.kind === 'element' ? hasComment(child) : child.kind === 'comment'));
}

/** The places of the parts that the form of networks judges. */
function place(root: XmlElement, { placed }: Notes): void {
  const at = [
    ['name', 'name'],
    ['title', 'title'],
    ['description', 'description'],
    ['bridge', 'bridge'],
    ['type', 'forward'],
    ['routing', 'forward'],
    ['dns', 'dns'],
    ['mtuBytes', 'mtu'],
    ['bandwidth', 'bandwidth'],
    ['guests', 'portgroup'],
  ] as const;
  for (const [path, name] of at) {
    const element = childOf(root, name);
    if (element !== undefined) placed(path, element);
  }
  for (const [index, element] of subnetElements(root).entries()) {
    const dhcp = childOf(element, 'dhcp');
    if (dhcp === undefined) continue;
    for (const [which, name] of [
      ['hosts', 'host'],
      ['ranges', 'range'],
    ] as const) {
      for (const [at_, one] of childrenOf(dhcp, name).entries()) placed(`subnets.${index}.dhcp.${which}.${at_}`, one);
    }
  }
}

/** Says what libvirt takes in silence, and does not do. */
function warnOfDrops(root: XmlElement, carrier: Carrier, { warn }: Notes): void {
  const stp = carrier.element && attribute(carrier.element, 'stp');
  const lone = subnetElements(root)
    .map((element) => childOf(element, 'dhcp'))
    .find(
      (dhcp) =>
        dhcp !== undefined && childOf(dhcp, 'bootp') !== undefined && !childOf(dhcp, 'range') && !childOf(dhcp, 'host'),
    );
  const drops = [
    ...dnsDrops(root),
    ...(stp !== undefined && stp.value !== 'on' && stp.value !== 'off'
      ? [{ at: stp, message: `stp='${stp.value}' means on` }]
      : []),
    ...(lone === undefined ? [] : [{ at: lone, message: 'bootp without a range or a host has no effect' }]),
  ];
  for (const { at, message } of drops) {
    const rule = 'libvirt takes the document in silence.';
    warn(refusal(message, { at, rule, remedy: 'Leave the part out, or complete it' }));
  }
}
