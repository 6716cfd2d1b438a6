/** Network ports: the documents by which a hypervisor plugs a guest into a network, and hears where the plug is. */
import { MacShape } from '../../model/address/address-shapes.ts';
import { isUnicastMac, type Mac } from '../../model/address/mac.ts';
import * as form from '../../model/form.ts';
import { BandwidthShape, type VlanTrunk } from '../../model/network/guests.ts';
import { checkForm } from './form-check.ts';
import { checkRoot, type XmlReading } from './network-xml.ts';
import { macOf } from './parts/dhcp-xml.ts';
import { type KeptVirtualPort, VirtualPortShape } from './parts/kept.ts';
import { bandwidthElement, virtualPortElement, vlanElement } from './parts/limits-print.ts';
import { type Limits, readRate, readVirtualPort, readVlan } from './parts/limits-xml.ts';
import { pciElement, readPciAddress } from './parts/pci-xml.ts';
import {
  attribute,
  childOf,
  choice,
  contentOf,
  placeIn,
  refusal,
  typedNumber,
  whole,
  word,
  yesNo,
} from './text/element-reader.ts';
import { LIBVIRT_CODE, readingXml } from './text/xml-error.ts';
import { type XmlLines, xmlDocument, xmlElement, xmlTextElement } from './text/xml-text.ts';
import { parseXml, type XmlElement } from './text/xml-tree.ts';

const MACVTAP_MODES = ['vepa', 'bridge', 'private', 'passthrough'] as const;
const MAC_TABLES = ['kernel', 'libvirt'] as const;

/** Where the plug of a port is: on a bridge, at a card, or a PCI card itself. */
export type PortPlug =
  | {
      readonly type: 'network' | 'bridge';
      readonly bridge: string;
      readonly macTableManager?: (typeof MAC_TABLES)[number];
    }
  | { readonly type: 'direct'; readonly dev: string; readonly mode: (typeof MACVTAP_MODES)[number] }
  | { readonly type: 'hostdev-pci'; readonly card: string; readonly managed?: boolean; readonly driver?: string };

/** A port of a guest in a network. */
export interface PortDocument {
  readonly uuid: string;
  readonly owner: { readonly name: string; readonly uuid: string };
  readonly group?: string;
  readonly mac: Mac;
  readonly virtualPort?: KeptVirtualPort;
  readonly bandwidth?: Limits;
  /** What inbound is guaranteed, in thousands of bytes a second. */
  readonly floorKbps?: number;
  /** The class of the guarantee at the bridge, which libvirt numbers. */
  readonly classId?: number;
  readonly vlan?: number;
  readonly trunk?: VlanTrunk;
  readonly isolation?: boolean;
  readonly trustGuestRxFilters?: boolean;
  /** Absent until the network has given one. */
  readonly plug?: PortPlug;
}

const TextShape = form.string({ max: 4_096 });
const TagShape = form.int(0, 4_095);
const UuidShape = form.string({ pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/ });

const PlugShape: form.Shape<PortPlug> = form.variants('type', [
  form.object({
    type: form.literal('network'),
    bridge: TextShape,
    macTableManager: form.exactOptional(form.oneOf(MAC_TABLES)),
  }),
  form.object({
    type: form.literal('bridge'),
    bridge: TextShape,
    macTableManager: form.exactOptional(form.oneOf(MAC_TABLES)),
  }),
  form.object({ type: form.literal('direct'), dev: TextShape, mode: form.oneOf(MACVTAP_MODES) }),
  form.object({
    type: form.literal('hostdev-pci'),
    card: TextShape,
    managed: form.exactOptional(form.boolean()),
    driver: form.exactOptional(TextShape),
  }),
]);

/** The form of a port in documents that are kept. */
export const PortDocumentShape: form.Shape<PortDocument> = form.object({
  uuid: UuidShape,
  owner: form.object({ name: TextShape, uuid: UuidShape }),
  group: form.exactOptional(TextShape),
  mac: MacShape,
  virtualPort: form.exactOptional(VirtualPortShape),
  bandwidth: form.exactOptional(
    form.object({ in: form.exactOptional(BandwidthShape), out: form.exactOptional(BandwidthShape) }),
  ),
  floorKbps: form.exactOptional(form.int(0)),
  classId: form.exactOptional(form.int(0, 0xffffffff)),
  vlan: form.exactOptional(TagShape),
  trunk: form.exactOptional(
    form.object({
      tags: form.listOf(TagShape, 4_096),
      native: form.exactOptional(form.object({ tag: TagShape, mode: form.oneOf(['tagged', 'untagged']) })),
    }),
  ),
  isolation: form.exactOptional(form.boolean()),
  trustGuestRxFilters: form.exactOptional(form.boolean()),
  plug: form.exactOptional(PlugShape),
});

const NO_FILE = 'networkport.xml';

/** A port that a document asks for. @throws XmlNetworkError */
export function parsePortXml(text: string, { file = NO_FILE, validate = false }: XmlReading = {}): PortDocument {
  return readingXml(file, text, () => {
    const root = parseXml(text);
    checkRoot(root, 'networkport');
    if (validate) checkForm(root, 'networkport');
    return readPort(root);
  });
}

function readPort(root: XmlElement): PortDocument {
  const [owner, group, mac, virtualPort, bandwidth, vlan, port, rxFilters, plug] = [
    'owner',
    'group',
    'mac',
    'virtualport',
    'bandwidth',
    'vlan',
    'port',
    'rxfilters',
    'plug',
  ].map((name) => childOf(root, name));
  const uuid = uuidIn(root, root, 'network port has no uuid', LIBVIRT_CODE.internal);
  const ownerName = textIn(owner, 'name');
  if (ownerName === undefined) {
    const rule = 'A port has an owner, with the name and the UUID of its guest.';
    throw refusal('network port owner has no name', { at: owner ?? root, rule });
  }
  const ownerUuid = uuidIn(owner ?? root, root, 'network port owner has no UUID', LIBVIRT_CODE.xml);
  const groupName = group && (contentOf(group) || undefined);
  const tags = vlan && readVlan(vlan);
  const isolation = port && yesNo(port, 'isolated');
  const trust = rxFilters && yesNo(rxFilters, 'trustGuest');
  return {
    uuid,
    owner: { name: ownerName, uuid: ownerUuid },
    ...(groupName !== undefined && { group: groupName }),
    mac: readPortMac(root, mac),
    ...(virtualPort !== undefined && { virtualPort: readVirtualPort(virtualPort, false) }),
    ...(bandwidth !== undefined && readPortBandwidth(bandwidth)),
    ...tags,
    ...(isolation !== undefined && { isolation }),
    ...(trust !== undefined && { trustGuestRxFilters: trust }),
    ...(plug !== undefined && { plug: readPlug(plug) }),
  };
}

function textIn(element: XmlElement | undefined, name: string): string | undefined {
  const child = childOf(element, name);
  return (child && contentOf(child)) || undefined;
}

function uuidIn(element: XmlElement, root: XmlElement, missing: string, code: number): string {
  const typed = textIn(element, 'uuid');
  const rule = 'A UUID is 32 hexadecimal digits, as 6fa459ea-ee8a-4ca4-894e-db77e160355e.';
  if (typed === undefined) throw refusal(missing, { at: element === root ? root : element, code, rule });
  const hex = typed.trim().replaceAll('-', '').toLowerCase();
  if (/^[0-9a-f]{32}$/.test(hex)) return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  throw refusal(`Unable to parse UUID '${typed}'`, {
    at: childOf(element, 'uuid') ?? root,
    code: LIBVIRT_CODE.internal,
    rule,
  });
}

function readPortMac(root: XmlElement, element: XmlElement | undefined): Mac {
  const rule = 'A port has the Ethernet address of its guest.';
  const at = element && attribute(element, 'address');
  if (at === undefined) throw refusal('network port has no mac', { at: element ?? root, rule });
  const mac = macOf(at.value);
  if (mac !== undefined && isUnicastMac(mac)) return mac;
  throw refusal(`Unable to parse MAC '${at.value}'`, { at, code: LIBVIRT_CODE.internal, rule });
}

function readPortBandwidth(element: XmlElement): Pick<PortDocument, 'bandwidth' | 'floorKbps' | 'classId'> {
  const [inbound, outbound] = ['inbound', 'outbound'].map((name) => childOf(element, name));
  const floor = inbound && word(inbound, 'floor');
  const floorKbps = floor === undefined ? undefined : typedNumber(floor);
  if (inbound !== undefined && floor !== undefined && floorKbps === undefined) {
    const message = `could not convert bandwidth floor value '${floor}'`;
    throw refusal(message, {
      at: placeIn(inbound, 'floor'),
      code: LIBVIRT_CODE.unsupported,
      rule: 'A floor is a number.',
    });
  }
  if (outbound !== undefined && attribute(outbound, 'floor') !== undefined) {
    const message = "'floor' attribute allowed only in <inbound> element";
    throw refusal(message, {
      at: placeIn(outbound, 'floor'),
      code: LIBVIRT_CODE.unsupported,
      rule: 'Only inbound has a floor.',
    });
  }
  const isFloorOnly = inbound !== undefined && floorKbps !== undefined && word(inbound, 'average') === undefined;
  const [into, out] = [isFloorOnly ? undefined : inbound && readRate(inbound), outbound && readRate(outbound)];
  const classId = whole(element, 'classID');
  return {
    ...((into !== undefined || out !== undefined) && {
      bandwidth: { ...(into !== undefined && { in: into }), ...(out !== undefined && { out }) },
    }),
    ...(floorKbps !== undefined && floorKbps > 0 && { floorKbps }),
    ...(classId !== undefined && { classId }),
  };
}

function readPlug(element: XmlElement): PortPlug {
  const types = ['none', 'network', 'bridge', 'direct', 'hostdev-pci'] as const;
  const typed = word(element, 'type');
  const type = types.find((one) => one === typed);
  const rule = 'A plug is of the type network, bridge, direct or hostdev-pci.';
  if (typed === undefined) throw refusal('network port has no plug type', { at: element, rule });
  const need = (name: string, message: string): string => {
    const value = word(element, name);
    if (value !== undefined) return value;
    throw refusal(message, { at: element, rule: `A plug of the type ${typed} has the attribute ${name}.` });
  };
  switch (type) {
    case 'network':
    case 'bridge': {
      const bridge = need('bridge', 'Missing network port bridge name');
      const macTableManager = choice(element, 'macTableManager', MAC_TABLES);
      return { type, bridge, ...(macTableManager !== undefined && { macTableManager }) };
    }
    case 'direct': {
      const dev = need('dev', 'Missing network port link device name');
      return { type, dev, mode: choice(element, 'mode', MACVTAP_MODES) ?? 'vepa' };
    }
    case 'hostdev-pci': {
      const address = childOf(element, 'address');
      const driver = childOf(element, 'driver');
      if (address === undefined) throw refusal('Missing network port PCI address', { at: element, rule });
      const managed = yesNo(element, 'managed');
      const name = driver && word(driver, 'name');
      return {
        type,
        card: readPciAddress(address),
        ...(managed !== undefined && { managed }),
        ...(name !== undefined && { driver: name }),
      };
    }
    default:
      throw refusal(`Invalid network port plug type '${typed}'`, { at: placeIn(element, 'type'), rule });
  }
}

/** The document of a port. */
export function printPortXml(port: PortDocument): string {
  const { uuid, owner, group, mac, virtualPort, bandwidth, floorKbps, classId, isolation, trustGuestRxFilters, plug } =
    port;
  const yes = (value: boolean) => (value ? 'yes' : 'no');
  return xmlDocument(
    xmlElement('networkport', {}, [
      xmlTextElement('uuid', uuid),
      xmlElement('owner', {}, [xmlTextElement('name', owner.name), xmlTextElement('uuid', owner.uuid)]),
      ...(group === undefined ? [] : [xmlTextElement('group', group)]),
      xmlElement('mac', { address: mac }),
      ...(virtualPort === undefined ? [] : [virtualPortElement(virtualPort)]),
      ...bandwidthElement(bandwidth ?? {}, { classID: classId }, floorKbps),
      ...vlanElement(port),
      ...(isolation === undefined ? [] : [xmlElement('port', { isolated: yes(isolation) })]),
      ...(trustGuestRxFilters === undefined ? [] : [xmlElement('rxfilters', { trustGuest: yes(trustGuestRxFilters) })]),
      ...(plug === undefined ? [] : [plugElement(plug)]),
    ]),
  );
}

function plugElement(plug: PortPlug): XmlLines {
  switch (plug.type) {
    case 'network':
    case 'bridge':
      return xmlElement('plug', { type: plug.type, bridge: plug.bridge, macTableManager: plug.macTableManager });
    case 'direct':
      return xmlElement('plug', { type: plug.type, dev: plug.dev, mode: plug.mode });
    case 'hostdev-pci': {
      const managed = plug.managed === undefined ? undefined : plug.managed ? 'yes' : 'no';
      const driver = plug.driver === undefined ? [] : [xmlElement('driver', { name: plug.driver })];
      return xmlElement('plug', { type: plug.type, managed }, [...driver, pciElement(plug.card)]);
    }
  }
}
