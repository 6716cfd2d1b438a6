/** Prints a network in libvirt's form and order. What libvirt's form has no place for stands in our element of `<metadata>`. */
import type { Network } from '../../model/network/network.ts';
import { orderedNetwork } from '../network/ordered-network.ts';
import { DNSMASQ_NAMESPACE, lineOf } from './libvirt-xml.ts';
import { parseNetworkXml } from './network-xml.ts';
import { type NetworkParts, ownElement, readOwnElement } from './own-metadata.ts';
import { PLAIN_MTU_BYTES } from './parts/carrier-xml.ts';
import { dnsElement, domainElement } from './parts/dns-print.ts';
import { forwardElement, modeOf, type XmlPrinting } from './parts/forward-print.ts';
import { KEPT_KEY, type Kept, keptOf, writtenAs } from './parts/kept.ts';
import { bandwidthElement, portGroupElement, virtualPortElement, vlanElement } from './parts/limits-print.ts';
import { routeElement, subnetElement } from './parts/subnet-print.ts';
import { residual } from './residual.ts';
import { copyOf } from './text/xml-copy.ts';
import { XmlNetworkError } from './text/xml-error.ts';
import { isXmlText, type XmlLines, xmlContainer, xmlDocument, xmlElement, xmlTextElement } from './text/xml-text.ts';
import { parseXml } from './text/xml-tree.ts';

/** The document of a network. */
export function printNetworkXml(network: Network, printing: XmlPrinting = {}): string {
  const kept = keptOf(network);
  // Most networks are printed in full. One that libvirt's form cannot say in full is said by our element, part by part.
  for (const fullness of FULLNESSES) {
    const plain = xmlDocument(rootOf(network, kept, fullness, { inactive: true }, undefined));
    const read = readAgain(plain, network);
    if (read === undefined) continue;
    const parts = residualOf(read, network, kept);
    const own = ownLines(parts, network, kept);
    return xmlDocument(rootOf(network, kept, fullness, printing, own));
  }
  throw new Error(`network ${network.id} cannot be printed`);
}

/** How much of a network stands in plain XML. */
interface Fullness {
  readonly hasDhcp: boolean;
  readonly hasServices: boolean;
}

const FULLNESSES: readonly Fullness[] = [
  { hasDhcp: true, hasServices: true },
  { hasDhcp: false, hasServices: true },
  { hasDhcp: false, hasServices: false },
];

/** What plain XML says, as a network. Undefined where libvirt would refuse the document. */
function readAgain(plain: string, network: Network): Network | undefined {
  try {
    const { order } = parseNetworkXml(plain);
    return orderedNetwork(order, network);
  } catch (error) {
    if (error instanceof XmlNetworkError) return undefined;
    throw error;
  }
}

function residualOf(read: Network, network: Network, kept: Kept): NetworkParts {
  // The name of a bridge that libvirt's form does not carry is that of another program, or none.
  const { [KEPT_KEY]: _, ...others } = network.extra;
  const isForeign = network.extra[KEPT_KEY] !== undefined && Object.keys(kept).length === 0;
  const extra = isForeign ? network.extra : others;
  const parts = residual(partsOf({ ...read, extra: {} }), partsOf({ ...network, extra }));
  return parts;
}

function partsOf(network: Network): NetworkParts {
  return { ...network };
}

/** Our element; undefined where plain XML says everything. */
function ownLines(parts: NetworkParts, { number, source }: Network, { ownMetadata }: Kept): XmlLines | undefined {
  const isPlain = Object.keys(parts).length === 0;
  if (ownMetadata !== undefined) {
    // A person's comments in the element stay as long as the element says the same.
    const typed = parseXml(ownMetadata);
    const { number: _, ...before } = readOwnElement(typed);
    if (JSON.stringify(sorted(before)) === JSON.stringify(sorted(parts))) return copyOf(typed);
  }
  if (isPlain && (source === 'libvirt' || ownMetadata === undefined)) return undefined;
  return ownElement({ number, ...parts });
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value === undefined ? null : value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => [key, sorted(part)]),
  );
}

function rootOf(
  network: Network,
  kept: Kept,
  { hasDhcp, hasServices }: Fullness,
  printing: XmlPrinting,
  own: XmlLines | undefined,
): XmlLines {
  const { name, uuid, title, description, dnsmasqOptions = [], guests, bandwidth, hostAddress } = network;
  const isManaged = network.bridge !== undefined;
  const isGiven = isManaged && hostAddress.kind === 'given' && hasServices;
  const isWhole = isGiven && network.subnets.every((subnet) => subnet.hostAddress !== undefined);
  const subnets = isWhole ? network.subnets : [];
  const mode = modeOf(network, { isRoutable: hasServices, hasSubnets: subnets.length > 0 });
  const { connections = 0, inactive = true } = printing;
  const options = isManaged && hasServices ? dnsmasqOptions.filter((line) => isXmlText(line)) : [];
  const metadata = [...(kept.metadata ?? []).flatMap((text) => copied(text)), ...(own === undefined ? [] : [own])];
  const dns = isManaged && hasServices ? network.dns : undefined;
  const isLimitable = isManaged || network.type.kind === 'foreign-bridge';
  const children = [
    xmlTextElement('name', name),
    ...(uuid === undefined ? [] : [xmlTextElement('uuid', uuid)]),
    ...(title === undefined || title === '' || !isXmlText(title) ? [] : [xmlTextElement('title', title)]),
    ...textElements('description', descriptionOf(description, kept)),
    ...(metadata.length === 0 ? [] : [xmlElement('metadata', {}, metadata)]),
    ...forwardElement(network, mode, kept, printing),
    ...bridgeElements(network, kept),
    ...domainElement(dns),
    ...dnsElement(dns),
    ...vlanElement(hasServices && isTaggable(network) ? guests : undefined),
    ...(isLimitable && hasServices ? bandwidthElement(bandwidth) : []),
    ...portElement(guests?.isolation),
    ...subnets.map((subnet, index) => subnetElement(subnet, kept, hasDhcp && isFirstServed(network, index))),
    ...(hasDhcp ? (isWhole ? network.routes : []).map((route) => routeElement(route, kept)) : []),
    ...(kept.virtualPort === undefined ? [] : [virtualPortElement(kept.virtualPort)]),
    ...(hasServices ? (guests?.portGroups ?? []) : []).map((group) =>
      portGroupElement(group, kept, { isLimitable, isTaggable: isTaggable(network) }),
    ),
    ...(options.length === 0
      ? []
      : [
          xmlElement(
            'dnsmasq:options',
            {},
            options.map((value) => xmlElement('dnsmasq:option', { value })),
          ),
        ]),
  ];
  const attributes = {
    'xmlns:dnsmasq': options.length === 0 ? undefined : DNSMASQ_NAMESPACE,
    connections: inactive || connections === 0 ? undefined : connections,
    ipv6: network.guestIpv6 === true ? 'yes' : undefined,
    trustGuestRxFilters: kept.trustGuestRxFilters === undefined ? undefined : kept.trustGuestRxFilters ? 'yes' : 'no',
  };
  return xmlContainer('network', attributes, children);
}

function copied(text: string): XmlLines[] {
  return [copyOf(parseXml(text))];
}

function textElements(name: string, text: string | undefined): XmlLines[] {
  return text === undefined || text === '' || !isXmlText(text) ? [] : [xmlTextElement(name, text)];
}

/** The description with its lines, as long as it says the same. */
function descriptionOf(description: string | undefined, kept: Kept): string | undefined {
  return kept.description !== undefined && lineOf(kept.description) === description ? kept.description : description;
}

function bridgeElements(network: Network, kept: Kept): XmlLines[] {
  const { bridge, mtuBytes, type } = network;
  if (bridge === undefined) {
    return type.kind === 'foreign-bridge' ? [xmlElement('bridge', { name: type.name })] : [];
  }
  const { name, zone, stp, forwardDelaySec, macTable, mac } = bridge;
  const isPlainMtu = mtuBytes === PLAIN_MTU_BYTES && writtenAs(kept, 'mtu') === undefined;
  const macTableManager = macTable === 'managed' ? 'libvirt' : writtenAs(kept, 'macTableManager');
  return [
    xmlElement('bridge', { name, zone, stp: stp ? 'on' : 'off', delay: forwardDelaySec, macTableManager }),
    ...(isPlainMtu ? [] : [xmlElement('mtu', { size: mtuBytes })]),
    ...(mac === undefined ? [] : [xmlElement('mac', { address: mac })]),
  ];
}

function portElement(isolation: boolean | undefined): XmlLines[] {
  return isolation === undefined ? [] : [xmlElement('port', { isolated: isolation ? 'yes' : 'no' })];
}

/** libvirt tags frames on bridges of others, and on cards that guests have alone. */
function isTaggable({ type }: Network): boolean {
  return (
    type.kind === 'foreign-bridge' ||
    type.kind === 'hostdev' ||
    (type.kind === 'macvtap' && type.mode === 'passthrough')
  );
}

/** libvirt serves one subnet of each family. */
function isFirstServed({ subnets }: Network, index: number): boolean {
  const isSix = (cidr: string) => cidr.includes(':');
  const served = subnets.findIndex(({ cidr, dhcp }) => {
    const isServed = dhcp !== undefined && (dhcp.ranges.length > 0 || dhcp.hosts.length > 0);
    return isServed && isSix(cidr) === isSix(subnets[index]?.cidr ?? '');
  });
  return served === index;
}
