/** `<forward>`, `<bridge>`, `<mac>` and `<mtu>`: what carries a network, and how it is joined to others. */
import { type Ipv4, ipv4ToNumber, isIpv4 } from '../../../model/address/ipv4.ts';
import { isUnicastMac, type Mac } from '../../../model/address/mac.ts';
import type { NatSettings } from '../../../model/network/routing.ts';
import { attribute, childOf, childrenOf, placeIn, refusal, typedNumber, word, yesNo } from '../text/element-reader.ts';
import { LIBVIRT_CODE } from '../text/xml-error.ts';
import type { XmlAttribute, XmlElement } from '../text/xml-tree.ts';
import { macOf } from './dhcp-xml.ts';
import type { Kept } from './kept.ts';
import type { Notes } from './notes.ts';
import { readPciAddress } from './pci-xml.ts';

const { internal, unsupported, xmlDetail } = LIBVIRT_CODE;

/** libvirt's forward modes; without `<forward>` a network is isolated. */
export const FORWARD_MODES = ['nat', 'route', 'open', 'bridge', 'private', 'vepa', 'passthrough', 'hostdev'] as const;

/** The MTU of a bridge whose network names none. */
export const PLAIN_MTU_BYTES = 1_500;

/** How a network is joined to others, in libvirt's word. */
export type ForwardMode = (typeof FORWARD_MODES)[number] | 'none';

/** `<forward>`, read. */
export interface Forward {
  readonly mode: ForwardMode;
  readonly element: XmlElement | undefined;
  readonly devices: readonly string[];
  readonly cards: readonly string[];
  readonly physicalFunction?: string;
  readonly managed: boolean;
  readonly driver?: Kept['driver'];
  readonly nat?: NatSettings;
}

/** `<bridge>`, `<mac>` and `<mtu>`, read. */
export interface Carrier {
  readonly element: XmlElement | undefined;
  readonly name?: string;
  readonly mac?: Mac;
  readonly stp: boolean;
  readonly forwardDelaySec: number;
  readonly macTable: 'learned' | 'managed';
  readonly zone?: string;
  readonly mtuBytes?: number;
}

/** Whether libvirt makes a bridge for a network of this mode. */
export function isManaged(mode: ForwardMode): boolean {
  return mode === 'none' || mode === 'nat' || mode === 'route' || mode === 'open';
}

/** `<bridge>`, `<mac>` and `<mtu>` of a network. @throws XmlNetworkError */
export function readCarrier(root: XmlElement, { name: network, wrote }: Notes): Carrier {
  const [bridge, mac, mtu] = ['bridge', 'mac', 'mtu'].map((one) => childOf(root, one));
  const name = bridge && (word(bridge, 'name') || undefined);
  const zone = bridge && word(bridge, 'zone');
  const delay = bridge && word(bridge, 'delay');
  const forwardDelaySec = delay === undefined ? 0 : typedNumber(delay);
  if (bridge !== undefined && (forwardDelaySec === undefined || forwardDelaySec > 30)) {
    throw refusal(`Invalid delay value in network '${network}'`, {
      at: placeIn(bridge, 'delay'),
      rule: 'The delay of a bridge is a number of seconds from 0 to 30.',
    });
  }
  const manager = bridge && attribute(bridge, 'macTableManager');
  if (manager !== undefined && manager.value !== 'kernel' && manager.value !== 'libvirt') {
    const rule = 'The MAC table is kept by the kernel or by libvirt.';
    throw refusal(`Invalid macTableManager setting '${manager.value}' in network '${network}'`, { at: manager, rule });
  }
  if (manager?.value === 'kernel') wrote('macTableManager', 'kernel');
  const address = mac && attribute(mac, 'address');
  const size = mtu && attribute(mtu, 'size');
  const mtuBytes = size === undefined ? undefined : typedNumber(size.value);
  if (size !== undefined && mtuBytes === undefined) {
    throw refusal(`Invalid mtu size '${size.value}' in network '${network}'`, {
      at: size,
      rule: 'An MTU is a number of bytes.',
    });
  }
  if (mtuBytes === PLAIN_MTU_BYTES) wrote('mtu', 'written');
  return {
    element: bridge,
    ...(name !== undefined && { name }),
    ...(zone !== undefined && { zone }),
    stp: bridge === undefined || word(bridge, 'stp') !== 'off',
    forwardDelaySec: forwardDelaySec ?? 0,
    macTable: manager?.value === 'libvirt' ? 'managed' : 'learned',
    ...(address !== undefined && { mac: bridgeMac(address, network) }),
    ...(mtuBytes !== undefined && { mtuBytes }),
  };
}

function bridgeMac(at: XmlAttribute, network: string): Mac {
  const mac = macOf(at.value);
  const rule = 'The Ethernet address of a bridge is that of one card: six bytes in hexadecimal.';
  if (mac === undefined)
    throw refusal(`Invalid bridge mac address '${at.value}' in network '${network}'`, { at, rule });
  if (isUnicastMac(mac)) return mac;
  throw refusal(`Invalid multicast bridge mac address '${at.value}' in network '${network}'`, { at, rule });
}

/** What is of one mode alone is refused in the others. @throws XmlNetworkError */
export function checkCarrier(
  root: XmlElement,
  carrier: Carrier,
  { mode, devices, element }: Forward,
  { name }: Notes,
): void {
  const { element: bridge } = carrier;
  const mtu = childOf(root, 'mtu');
  if (!isManaged(mode)) {
    const odd = ['delay', 'stp', 'zone'].find((one) => bridge !== undefined && attribute(bridge, one) !== undefined);
    if (bridge !== undefined && odd !== undefined) {
      const message = `bridge delay/stp/zone options only allowed in route, nat, and isolated mode, not in ${mode} (network '${name}')`;
      throw refusal(message, {
        at: placeIn(bridge, odd),
        rule: 'Only a bridge that the network makes has settings.',
        remedy: `Leave ${odd} out`,
      });
    }
    if (mtu !== undefined && carrier.mtuBytes !== undefined) {
      const message = `mtu size only allowed in open, route, nat, and isolated mode, not in ${mode} (network '${name}')`;
      throw refusal(message, {
        at: mtu,
        rule: 'Only a bridge that the network makes has an MTU.',
        remedy: 'Leave mtu out',
      });
    }
    if (bridge !== undefined && carrier.name !== undefined && mode !== 'bridge') {
      const rule = 'Only networks of the mode bridge are on a bridge that exists.';
      throw refusal(`bridge name not allowed in ${mode} mode (network '${name}')`, {
        at: placeIn(bridge, 'name'),
        rule,
      });
    }
    if (mode === 'bridge' && carrier.name !== undefined && devices.length > 0) {
      const message = `A network with forward mode='bridge' can specify a bridge name or a forward dev, but not both (network '${name}')`;
      throw refusal(message, { at: element ?? root, rule: 'Guests are on one bridge, or on cards.' });
    }
    return;
  }
  if (mode === 'open' && devices.length > 0) {
    const message = `forward dev not allowed for network '${name}' with forward mode='open'`;
    throw refusal(message, {
      at: element ?? root,
      rule: 'An open network has no rules, and so no device that leads out.',
    });
  }
  if (devices.length > 1) {
    const message = `multiple forwarding interfaces specified for network '${name}', only one is supported`;
    throw refusal(message, { at: element ?? root, rule: 'One device leads out of a network.' });
  }
}

/** `<forward>` of a network. @throws XmlNetworkError */
export function readForward(root: XmlElement, notes: Notes): Forward {
  const { name } = notes;
  const element = childOf(root, 'forward');
  if (element === undefined) return { mode: 'none', element, devices: [], cards: [], managed: false };
  const typed = word(element, 'mode');
  const mode = typed === undefined ? 'nat' : FORWARD_MODES.find((one) => one === typed);
  if (mode === undefined) {
    const at = placeIn(element, 'mode');
    const rule = `A mode is one of ${FORWARD_MODES.join(', ')}.`;
    throw refusal(`unknown forwarding type '${typed}'`, { at, code: unsupported, rule });
  }
  const driver = childOf(element, 'driver');
  const nats = childrenOf(element, 'nat');
  const nat = readNat(nats, mode, notes);
  const [interfaces, functions, addresses] = ['interface', 'pf', 'address'].map((one) => childrenOf(element, one));
  const dev = attribute(element, 'dev');
  const cards = uniqueCards(addresses ?? [], notes);
  const physicalFunction = readFunction(functions ?? [], notes);
  if (dev !== undefined && (cards.length > 0 || physicalFunction !== undefined)) {
    const message = `the <forward> 'dev' attribute cannot be used when <address> or <pf> sub-elements are present in network ${name}`;
    throw refusal(message, { at: dev, rule: 'Cards are named in one way.', remedy: 'Leave dev out' });
  }
  const managed = word(element, 'managed') === 'yes';
  return {
    mode,
    element,
    devices: readDevices(interfaces ?? [], dev, notes),
    cards,
    ...(physicalFunction !== undefined && { physicalFunction }),
    managed,
    ...(driver !== undefined && { driver: driverOf(driver) }),
    ...(nat !== undefined && { nat }),
  };
}

function driverOf(element: XmlElement): NonNullable<Kept['driver']> {
  const [name, model] = [word(element, 'name'), word(element, 'model')];
  return { ...(name !== undefined && { name }), ...(model !== undefined && { model }) };
}

function uniqueCards(elements: readonly XmlElement[], { name }: Notes): string[] {
  const cards: string[] = [];
  for (const element of elements) {
    const type = word(element, 'type');
    const rule = "A card is named by its PCI address: <address type='pci' domain='0' bus='3' slot='16' function='1'/>.";
    if (type === undefined) throw refusal(`missing address type in network ${name}`, { at: element, rule });
    if (type !== 'pci') {
      throw refusal(`unknown address type '${type}' in network ${name}`, {
        at: placeIn(element, 'type'),
        code: unsupported,
        rule,
      });
    }
    const card = readPciAddress(element);
    if (cards.includes(card)) {
      const message = `PCI device '${card}' can only be listed once in network ${name}`;
      throw refusal(message, { at: element, rule: 'A card is in the list once.', remedy: 'Remove one of the two' });
    }
    cards.push(card);
  }
  return cards;
}

function readFunction(elements: readonly XmlElement[], { name }: Notes): string | undefined {
  const [first, second] = elements;
  if (second !== undefined) {
    const rule = 'One physical function gives the cards.';
    throw refusal(`Only one <pf> element is allowed in <forward> of network ${name}`, { at: second, rule });
  }
  if (first === undefined) return undefined;
  const dev = word(first, 'dev');
  if (dev !== undefined) return dev;
  const rule = 'A physical function is named by its device.';
  throw refusal(`Missing required dev attribute in <pf> element of network '${name}'`, { at: first, rule });
}

function readDevices(elements: readonly XmlElement[], dev: XmlAttribute | undefined, { name }: Notes): string[] {
  const devices: string[] = [];
  for (const element of elements) {
    const device = attribute(element, 'dev');
    if (device === undefined) {
      const rule = 'An interface is named by its device.';
      throw refusal(`Missing required dev attribute in <forward> <interface> element of network ${name}`, {
        at: element,
        rule,
      });
    }
    if (devices.includes(device.value)) {
      const message = `interface '${device.value}' can only be listed once in network ${name}`;
      throw refusal(message, { at: device, rule: 'A device is in the list once.', remedy: 'Remove one of the two' });
    }
    devices.push(device.value);
  }
  const [first] = devices;
  if (dev === undefined) return devices;
  if (first === undefined) return [dev.value];
  if (first === dev.value) return devices;
  const message = `<forward dev='${dev.value}'> must match first <interface dev='${first}'/> in network ${name}`;
  throw refusal(message, { at: dev, rule: 'dev is short for the first interface.', remedy: 'Leave dev out' });
}

function readNat(elements: readonly XmlElement[], mode: ForwardMode, { name }: Notes): NatSettings | undefined {
  const [element, second] = elements;
  const once = (what: string, at: XmlElement, where = `<nat> in <forward> in network ${name}`) =>
    refusal(`Only one <${what}> element is allowed in ${where}`, { at, rule: `There is one ${what}.` });
  if (second !== undefined) throw once('nat', second, `<forward> of network ${name}`);
  if (element === undefined) return undefined;
  if (mode !== 'nat') {
    const message = `The <nat> element can only be used when <forward> 'mode' is 'nat' in network ${name}`;
    throw refusal(message, { at: element, rule: 'Only networks of the mode nat hide their guests.' });
  }
  const ipv6 = yesNo(element, 'ipv6');
  const [address, address2] = childrenOf(element, 'address');
  const [port, port2] = childrenOf(element, 'port');
  if (address2 !== undefined) throw once('address', address2);
  if (port2 !== undefined) throw once('port', port2);
  const addresses = address && readNatAddresses(address, name);
  const ports = port && readNatPorts(port, name);
  return {
    ...(addresses !== undefined && { addresses }),
    ...(ports !== undefined && { ports }),
    ...(ipv6 !== undefined && { ipv6 }),
  };
}

function readNatAddresses(element: XmlElement, name: string): NonNullable<NatSettings['addresses']> | undefined {
  const rule = 'Guests share IPv4 addresses from start to end.';
  const ends = (['start', 'end'] as const).map((which): Ipv4 | undefined => {
    const found = attribute(element, which);
    if (found === undefined) return undefined;
    if (isIpv4(found.value)) return found.value;
    const message = `Bad ipv4 ${which} address '${found.value}' in <nat> in <forward> in network '${name}'`;
    throw refusal(message, { at: found, rule });
  });
  const [first, last] = ends;
  if (first === undefined && last === undefined) return undefined;
  if (first === undefined || last === undefined) {
    const missing = first === undefined ? 'start' : 'end';
    const message = `missing '${missing}' attribute in <address> element in <nat> in <forward> in network ${name}`;
    throw refusal(message, { at: element, rule });
  }
  if (ipv4ToNumber(first) <= ipv4ToNumber(last)) return { first, last };
  throw refusal(`range ${first} - ${last} is reversed `, {
    at: placeIn(element, 'start'),
    code: internal,
    domain: 0,
    rule: 'The first address is not above the last.',
  });
}

function readNatPorts(element: XmlElement, name: string): NonNullable<NatSettings['ports']> {
  const [first, last] = ['start', 'end'].map((which) => {
    const text = word(element, which);
    const port = text === undefined ? undefined : typedNumber(text);
    return port !== undefined && port >= 1 && port <= 65_535 ? port : undefined;
  });
  const say = (which: string) =>
    refusal(`Missing or invalid '${which}' attribute in <port> in <nat> in <forward> in network ${name}`, {
      at: placeIn(element, which),
      code: xmlDetail,
      rule: 'Ports are numbers from 1 to 65535, the first not above the last.',
    });
  if (first === undefined) throw say('start');
  if (last === undefined || last < first) throw say('end');
  return { first, last };
}
