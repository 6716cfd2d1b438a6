/**
 * The first draft of libvirt's networks (2007): networks that are joined across machines by `<listen>` and `<connections>`, with
 * `<dhcp>` and the rules of `<forwarding>`. It is read onto the same model as libvirt's form, and printed in that form.
 */
import { isIpv4 } from '../../model/address/ipv4.ts';
import type { RoutingRule, RoutingVerdict } from '../../model/network/routing.ts';
import type { Subnet } from '../../model/network/subnet.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { readRange } from './parts/dhcp-xml.ts';
import type { Notes, Taken } from './parts/notes.ts';
import { readSubnet } from './parts/subnet-xml.ts';
import {
  attribute,
  childOf,
  childrenOf,
  contentOf,
  placeIn,
  refusal,
  typedAddress,
  typedNumber,
  word,
} from './text/element-reader.ts';
import { LIBVIRT_CODE, XmlNetworkError } from './text/xml-error.ts';
import type { XmlElement } from './text/xml-tree.ts';

/** All networks of the draft are in VXLANs of this number: they are told apart by their UDP ports. */
const DRAFT_VNI = 1;
const PORT_DEFAULT = 4_789;
/** What `deny` means: strangers outside hear nothing, guests hear at once that they may not. */
const DENIED: Readonly<Record<RoutingRule['direction'], RoutingVerdict>> = { in: 'drop', out: 'reject' };

/** Whether a document is in the draft's form: it has an element that libvirt's form does not have. */
export function isDraft(root: XmlElement): boolean {
  return ['listen', 'connections', 'forwarding', 'dhcp'].some((name) => childOf(root, name) !== undefined);
}

/** The order of a document. @throws XmlNetworkError */
export function readDraft(root: XmlElement, { places, warn }: Taken): NetworkOrder {
  const element = childOf(root, 'name');
  const name = element === undefined ? '' : contentOf(element).trim();
  if (name === '') {
    const words = { rule: 'A network has a name.', remedy: 'Write <name>Foo</name>', offset: (element ?? root).offset };
    throw new XmlNetworkError(LIBVIRT_CODE.noName, '', words);
  }
  const notes: Notes = { name, warn, wrote: () => undefined, placed: (path, { offset }) => places.set(path, offset) };
  const uuid = readDraftUuid(root);
  const subnets = readDraftSubnets(root, notes);
  for (const [path, one] of [
    ['name', 'name'],
    ['type', 'listen'],
    ['peers', 'connections'],
    ['subnets', 'dhcp'],
    ['routing', 'forwarding'],
  ] as const) {
    const found = childOf(root, one);
    if (found !== undefined) notes.placed(path, found);
  }
  return {
    name,
    ...(uuid !== undefined && { uuid }),
    ...readConnections(root, notes),
    bridge: { stp: true },
    hostAddress: { kind: subnets.length > 0 ? 'given' : 'none' },
    subnets,
    routes: [],
    routing: readForwarding(root),
    span: { kind: 'nodes', nodes: ['host0'] },
  };
}

function readDraftUuid(root: XmlElement): string | undefined {
  const element = childOf(root, 'uuid');
  if (element === undefined) return undefined;
  const hex = contentOf(element).trim().replaceAll('-', '').toLowerCase();
  if (/^[0-9a-f]{32}$/.test(hex)) return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const rule = 'A UUID is 32 hexadecimal digits.';
  throw refusal('malformed uuid element', {
    at: element,
    code: LIBVIRT_CODE.internal,
    rule,
    remedy: 'Leave <uuid> out',
  });
}

/** A network with `<listen>` or `<connections>` is a VXLAN to the listed machines; any other is a bridge of its machine. */
function readConnections(root: XmlElement, notes: Notes): NetworkOrder {
  const [listen, connections] = ['listen', 'connections'].map((name) => childOf(root, name));
  if (listen === undefined && connections === undefined) return { type: { kind: 'bridge' } };
  const local = listen && word(listen, 'address') !== undefined ? addressIn(listen) : undefined;
  const udpPort = (listen && portIn(listen, 'port')) ?? PORT_DEFAULT;
  const vteps = (connections === undefined ? [] : childrenOf(connections, 'connection')).map((element, index) => {
    notes.placed(`peers.vteps.${index}`, element);
    return { address: addressIn(element), port: portIn(element, 'port') ?? udpPort };
  });
  const [first = local] = vteps.map(({ address }) => address);
  return {
    type: {
      kind: 'vxlan',
      vni: DRAFT_VNI,
      udpPort,
      underlay: first === undefined || isIpv4(first) ? 'ipv4' : 'ipv6',
      ...(local !== undefined && { local }),
      learning: false,
    },
    peers: { kind: 'explicit', vteps },
  };
}

function addressIn(element: XmlElement) {
  const at = attribute(element, 'address');
  const address = at && typedAddress(at.value);
  if (address !== undefined) return address;
  const message =
    at === undefined
      ? `Missing required attribute 'address' in element '${element.local}'`
      : `Invalid address '${at.value}'`;
  throw refusal(message, { at: at ?? element, rule: 'A machine is named by its IPv4 or IPv6 address.' });
}

function portIn(element: XmlElement, name: string): number | undefined {
  const at = attribute(element, name);
  if (at === undefined) return undefined;
  const port = typedNumber(at.value);
  if (port !== undefined && port >= 1 && port <= 65_535) return port;
  const message = `Invalid value for attribute '${name}' in element '${element.local}': '${at.value}'`;
  throw refusal(message, { at, rule: 'A port is a number from 1 to 65535.' });
}

/** `<dhcp><ip address netmask start end/></dhcp>`. Without DHCP the subnet is there, and nobody gives addresses. */
function readDraftSubnets(root: XmlElement, notes: Notes): Subnet[] {
  const dhcp = childOf(root, 'dhcp');
  if (dhcp === undefined) return [];
  const isOn = isEnabled(dhcp);
  return childrenOf(dhcp, 'ip').map((element, index) => {
    notes.placed(`subnets.${index}`, element);
    const subnet = readSubnet(element, notes);
    const { cidr, hostAddress } = subnet;
    const hasRange = attribute(element, 'start') !== undefined || attribute(element, 'end') !== undefined;
    if (!isOn || !hasRange || hostAddress === undefined) return subnet;
    const served = { address: hostAddress, length: Number(cidr.split('/')[1]) };
    return { ...subnet, dhcp: { ranges: [readRange(element, served, notes)], hosts: [], options: [] } };
  });
}

function isEnabled(element: XmlElement): boolean {
  const at = attribute(element, 'enabled');
  if (at === undefined || at.value === 'true' || at.value === 'yes') return true;
  if (at.value === 'false' || at.value === 'no') return false;
  const message = `Invalid value for attribute 'enabled' in element '${element.local}': '${at.value}'.`;
  throw refusal(message, { at, rule: 'The word is true or false.', remedy: "Write enabled='true'" });
}

/** Guests are hidden behind their machine, and what the rules say comes in or goes out. */
function readForwarding(root: XmlElement): NetworkOrder {
  const forwarding = childOf(root, 'forwarding');
  if (forwarding === undefined || !isEnabled(forwarding)) return { mode: 'isolated', via: [], rules: [] };
  const [incoming, outgoing] = ['incoming', 'outgoing'].map((name) => childOf(forwarding, name));
  return {
    mode: 'nat',
    via: [],
    policy: { in: defaultOf(incoming, 'in', 'deny'), out: defaultOf(outgoing, 'out', 'allow') },
    rules: [...rulesOf(incoming, 'in'), ...rulesOf(outgoing, 'out')],
  };
}

function defaultOf(
  element: XmlElement | undefined,
  direction: RoutingRule['direction'],
  absent: string,
): RoutingVerdict {
  const at = element && attribute(element, 'default');
  const verdict = at?.value ?? absent;
  if (at !== undefined && verdict !== 'allow' && verdict !== 'deny') {
    const message = `Invalid value for attribute 'default' in element '${element?.local}': '${verdict}'.`;
    throw refusal(message, { at, rule: 'The word is allow or deny.', remedy: "Write default='deny'" });
  }
  return verdict === 'allow' ? 'accept' : DENIED[direction];
}

function rulesOf(element: XmlElement | undefined, direction: RoutingRule['direction']): RoutingRule[] {
  return (element?.children ?? []).flatMap((child) => {
    if (child.kind !== 'element' || child.namespace !== '') return [];
    if (child.local === 'allow' || child.local === 'deny') return [ruleOf(child, direction)];
    const rule = 'A rule is <allow/> or <deny/>.';
    throw refusal(`unexpected element <${child.local}> in <${element?.local}>`, { at: child, rule });
  });
}

function ruleOf(element: XmlElement, direction: RoutingRule['direction']): RoutingRule {
  const port = portIn(element, 'port');
  const destination = portIn(element, 'destport');
  const guest = word(element, 'domain');
  const protocol = attribute(element, 'protocol');
  const known = (['tcp', 'udp'] as const).find((one) => one === protocol?.value);
  if (protocol !== undefined && known === undefined) {
    const message = `Invalid value for attribute 'protocol' in element '${element.local}': '${protocol.value}'.`;
    throw refusal(message, { at: protocol, rule: 'A protocol is tcp or udp; without one, both.' });
  }
  const isAllowed = element.local === 'allow';
  const isForward = isAllowed && direction === 'in' && guest !== undefined;
  const odd = ['domain', 'destport'].find((name) => attribute(element, name) !== undefined);
  if (!isForward && odd !== undefined) {
    const rule = 'Only an incoming connection that is allowed is sent to a guest, which domain names.';
    throw refusal(`the attribute ${odd} has no meaning here`, {
      at: placeIn(element, odd),
      rule,
      remedy: `Leave ${odd} out`,
    });
  }
  if (isForward && port === undefined) {
    const rule = 'A port forward names the port outside.';
    throw refusal("Missing required attribute 'port' in element 'allow'", {
      at: element,
      rule,
      remedy: "Write port='8080'",
    });
  }
  return {
    direction,
    match: {
      ...(known !== undefined && { protocol: known }),
      ...(port !== undefined && { ports: { first: port, last: port } }),
    },
    verdict: isAllowed ? 'accept' : DENIED[direction],
    ...(isForward && port !== undefined && { forwardTo: { guest, port: destination ?? port } }),
  };
}
