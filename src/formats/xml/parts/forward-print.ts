/** Prints `<forward>`. */
import type { Network } from '../../../model/network/network.ts';
import type { NatSettings } from '../../../model/network/routing.ts';
import { type XmlLines, xmlElement } from '../text/xml-text.ts';
import type { ForwardMode } from './carrier-xml.ts';
import type { Kept } from './kept.ts';
import { pciElement } from './pci-xml.ts';

/** What is printed beside the definition. */
export interface XmlPrinting {
  /** The definition, as it is started next time (`--inactive`). Otherwise what runs. True unless said. */
  readonly inactive?: boolean;
  /** The ports in the network that runs. */
  readonly connections?: number;
  /** The ports on each card of a pool. */
  readonly cardConnections?: Readonly<Record<string, number>>;
}

/** What plain XML says of a network. */
interface Said {
  readonly isRoutable: boolean;
  readonly hasSubnets: boolean;
}

/** libvirt's mode of a network. One that libvirt's form cannot say is isolated there, or open. */
export function modeOf({ type, routing, bridge }: Network, { isRoutable, hasSubnets }: Said): ForwardMode {
  if (type.kind === 'foreign-bridge') return 'bridge';
  if (type.kind === 'macvtap') return type.mode;
  if (type.kind === 'hostdev') return 'hostdev';
  if (bridge === undefined || !isRoutable) return 'none';
  if (routing.mode === 'open' || routing.mode === 'none') return 'open';
  if (!hasSubnets) return 'none';
  return routing.mode === 'nat' ? 'nat' : routing.mode === 'routed' ? 'route' : 'none';
}

/** The ports that libvirt's firewall takes where a network names none; a network that runs shows them. */
const LIVE_PORTS = { start: 1_024, end: 65_535 };

/** The element; none for an isolated network. */
export function forwardElement(
  network: Network,
  mode: ForwardMode,
  { driver }: Kept,
  printing: XmlPrinting,
): XmlLines[] {
  if (mode === 'none') return [];
  const { type, routing } = network;
  const { inactive = true, cardConnections = {} } = printing;
  const isRouted = mode === 'nat' || mode === 'route';
  const devices = type.kind === 'macvtap' ? type.cards : isRouted ? routing.via.slice(0, 1) : [];
  const physicalFunction = type.kind === 'macvtap' || type.kind === 'hostdev' ? type.physicalFunction : undefined;
  const used = (card: string) => (inactive ? undefined : cardConnections[card] || undefined);
  const children = [
    ...(driver === undefined || type.kind !== 'hostdev'
      ? []
      : [xmlElement('driver', { name: driver.name, model: driver.model })]),
    ...(mode === 'nat' ? natElement(routing.nat, inactive) : []),
    ...(physicalFunction === undefined ? [] : [xmlElement('pf', { dev: physicalFunction })]),
    ...devices.map((dev) => xmlElement('interface', { dev, connections: used(dev) })),
    ...(type.kind === 'hostdev' ? type.cards.map((card) => pciElement(card)) : []),
  ];
  const dev = physicalFunction === undefined ? devices[0] : undefined;
  const managed = type.kind === 'hostdev' ? (type.managed ? 'yes' : 'no') : undefined;
  return [xmlElement('forward', { dev, mode, managed }, children)];
}

function natElement(nat: NatSettings | undefined, inactive: boolean): XmlLines[] {
  const { addresses, ports, ipv6 } = nat ?? {};
  const range = ports === undefined ? (inactive ? undefined : LIVE_PORTS) : { start: ports.first, end: ports.last };
  const children = [
    ...(addresses === undefined ? [] : [xmlElement('address', { start: addresses.first, end: addresses.last })]),
    ...(range === undefined ? [] : [xmlElement('port', range)]),
  ];
  if (children.length === 0 && ipv6 === undefined) return [];
  return [xmlElement('nat', { ipv6: ipv6 === undefined ? undefined : ipv6 ? 'yes' : 'no' }, children)];
}
