/**
 * The strict check that `virsh … --validate` asks for: elements, attributes and values that nobody knows are refused (code 92).
 * The tables are ours; they are as strict as libvirt's schema, and in places the schema is tighter than the parser.
 */
import { OWN_NAMESPACE } from './own-metadata.ts';
import { LIBVIRT_CODE, LIBVIRT_DOMAIN, XmlNetworkError } from './text/xml-error.ts';
import type { XmlElement } from './text/xml-tree.ts';

/** What may be in an element. */
interface ElementForm {
  readonly attributes?: Readonly<Record<string, RegExp>>;
  /** Attributes that must be there. */
  readonly needs?: readonly string[];
  readonly children?: Readonly<Record<string, ElementForm>>;
  /** Elements that stand any number of times; all others stand once. */
  readonly many?: readonly string[];
  /** Elements that must be there. */
  readonly contains?: readonly string[];
  /** What the text of the element is; without one, the element has no text. */
  readonly text?: RegExp;
  /** Anything of other namespaces. */
  readonly isOpen?: boolean;
}

const YES_NO = /^(yes|no)$/;
const NUMBER = /^\d{1,19}$/;
const ANY = /^/;
const LINE = /^[^\n]+$/;
const DEVICE = /^[a-zA-Z0-9_.\-\\:/%]+$/;
const DNS_NAME = /^[a-zA-Z0-9.-]+$/;
const MAC = /^[a-fA-F0-9][02468aAcCeE](:[a-fA-F0-9]{2}){5}$/;
const IPV4 = /^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$/;
const IP = new RegExp(`${IPV4.source}|^[0-9a-fA-F]*:[0-9a-fA-F:.]*$`);
const PORT = /^([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/;
const WORD16 = /^(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])$/;
const HEX_OR_NUMBER = /^(0x[0-9a-fA-F]{1,8}|\d{1,10})$/;
const UUID = /^[a-fA-F0-9]{8}-?([a-fA-F0-9]{4}-?){3}[a-fA-F0-9]{12}$/;

const rate: ElementForm = { attributes: { average: NUMBER, peak: NUMBER, burst: NUMBER } };
const BANDWIDTH: ElementForm = {
  children: { inbound: { attributes: { ...rate.attributes, floor: NUMBER } }, outbound: rate },
};
const VLAN: ElementForm = {
  attributes: { trunk: /^yes$/ },
  children: { tag: { attributes: { id: /^\d{1,4}$/, nativeMode: /^(tagged|untagged)$/ }, needs: ['id'] } },
  many: ['tag'],
  contains: ['tag'],
};
const VIRTUAL_PORT: ElementForm = {
  attributes: { type: /^(802\.1Qbg|802\.1Qbh|openvswitch|midonet)$/ },
  children: {
    parameters: {
      attributes: {
        managerid: HEX_OR_NUMBER,
        typeid: HEX_OR_NUMBER,
        typeidversion: HEX_OR_NUMBER,
        instanceid: UUID,
        interfaceid: UUID,
        profileid: /^.{0,39}$/,
      },
    },
  },
};
const PCI: ElementForm = {
  attributes: {
    type: /^pci$/,
    domain: HEX_OR_NUMBER,
    bus: HEX_OR_NUMBER,
    slot: HEX_OR_NUMBER,
    function: HEX_OR_NUMBER,
  },
  needs: ['bus', 'slot', 'function'],
};
const DRIVER: ElementForm = { attributes: { name: /^(kvm|vfio|xen)$/, model: LINE } };
const LEASE: ElementForm = { attributes: { expiry: NUMBER, unit: /^(seconds|minutes|hours)$/ }, needs: ['expiry'] };
const PORT_OPTIONS: ElementForm = { attributes: { isolated: YES_NO } };
const METADATA: ElementForm = { isOpen: true };

const IP_ELEMENT: ElementForm = {
  attributes: {
    address: IP,
    family: /^(ipv4|ipv6)$/,
    netmask: IPV4,
    prefix: /^\d{1,3}$/,
    localPtr: YES_NO,
  },
  children: {
    tftp: { attributes: { root: ANY }, needs: ['root'] },
    dhcp: {
      children: {
        range: { attributes: { start: IP, end: IP }, needs: ['start', 'end'], children: { lease: LEASE } },
        host: {
          attributes: { mac: MAC, id: /^([0-9a-fA-F]{1,2}:)*[0-9a-fA-F]{1,2}$/, name: DNS_NAME, ip: IP },
          needs: ['ip'],
          children: { lease: LEASE },
        },
        bootp: { attributes: { file: ANY, server: new RegExp(`${IP.source}|${DNS_NAME.source}`) }, needs: ['file'] },
      },
      many: ['range', 'host'],
    },
  },
};

const NETWORK: ElementForm = {
  attributes: { ipv6: YES_NO, trustGuestRxFilters: YES_NO, connections: NUMBER },
  contains: ['name'],
  children: {
    name: { text: /^[^\n/]+$/ },
    uuid: { text: UUID },
    title: { text: LINE },
    description: { text: ANY },
    metadata: METADATA,
    bridge: {
      attributes: {
        name: DEVICE,
        stp: /^(on|off)$/,
        delay: NUMBER,
        macTableManager: /^(kernel|libvirt)$/,
        zone: LINE,
      },
    },
    mac: { attributes: { address: MAC } },
    mtu: { attributes: { size: NUMBER } },
    forward: {
      attributes: {
        dev: DEVICE,
        mode: /^(nat|route|open|bridge|passthrough|private|vepa|hostdev)$/,
        managed: YES_NO,
      },
      children: {
        interface: { attributes: { dev: DEVICE, connections: NUMBER }, needs: ['dev'] },
        address: PCI,
        driver: DRIVER,
        pf: { attributes: { dev: DEVICE }, needs: ['dev'] },
        nat: {
          attributes: { ipv6: YES_NO },
          children: {
            address: { attributes: { start: IPV4, end: IPV4 }, needs: ['start', 'end'] },
            port: { attributes: { start: PORT, end: PORT }, needs: ['start', 'end'] },
          },
        },
      },
      many: ['interface', 'address'],
    },
    virtualport: VIRTUAL_PORT,
    portgroup: {
      attributes: { name: LINE, default: YES_NO, trustGuestRxFilters: YES_NO },
      children: { virtualport: VIRTUAL_PORT, bandwidth: BANDWIDTH, vlan: VLAN },
    },
    domain: { attributes: { name: DNS_NAME, localOnly: YES_NO, register: YES_NO }, needs: ['name'] },
    dns: {
      attributes: { enable: YES_NO, forwardPlainNames: YES_NO },
      children: {
        forwarder: { attributes: { addr: IP, domain: DNS_NAME, port: PORT } },
        txt: { attributes: { name: /^[^ ,]+$/, value: ANY }, needs: ['name', 'value'] },
        srv: {
          attributes: {
            service: LINE,
            protocol: /^(tcp|udp)$/,
            domain: DNS_NAME,
            target: /^[a-zA-Z0-9.-]+$/,
            port: PORT,
            priority: WORD16,
            weight: WORD16,
          },
          needs: ['service', 'protocol'],
        },
        host: {
          attributes: { ip: IP },
          needs: ['ip'],
          children: { hostname: { text: DNS_NAME } },
          many: ['hostname'],
          contains: ['hostname'],
        },
      },
      many: ['forwarder', 'txt', 'srv', 'host'],
    },
    bandwidth: BANDWIDTH,
    vlan: VLAN,
    port: PORT_OPTIONS,
    ip: IP_ELEMENT,
    route: {
      attributes: {
        family: /^(ipv4|ipv6)$/,
        address: IP,
        netmask: IPV4,
        prefix: /^\d{1,3}$/,
        gateway: IP,
        metric: /^[1-9]\d{0,9}$/,
      },
      needs: ['gateway'],
    },
  },
  many: ['portgroup', 'ip', 'route'],
};

const PLUG_ATTRIBUTES = {
  type: /^(network|bridge|direct|hostdev-pci)$/,
  bridge: DEVICE,
  dev: DEVICE,
  mode: /^(vepa|bridge|private|passthrough)$/,
  macTableManager: /^(kernel|libvirt)$/,
  managed: YES_NO,
};

const NETWORK_PORT: ElementForm = {
  contains: ['owner', 'mac'],
  children: {
    uuid: { text: UUID },
    owner: { contains: ['name', 'uuid'], children: { name: { text: LINE }, uuid: { text: UUID } } },
    group: { text: LINE },
    mac: { attributes: { address: MAC }, needs: ['address'] },
    virtualport: VIRTUAL_PORT,
    bandwidth: {
      children: {
        inbound: { attributes: { ...rate.attributes, floor: NUMBER } },
        outbound: rate,
      },
      attributes: { classID: NUMBER },
    },
    vlan: VLAN,
    port: PORT_OPTIONS,
    rxfilters: { attributes: { trustGuest: YES_NO } },
    plug: { attributes: PLUG_ATTRIBUTES, needs: ['type'], children: { address: PCI, driver: DRIVER } },
  },
};

const RULE: ElementForm = { attributes: { port: PORT, domain: LINE, destport: PORT, protocol: /^(tcp|udp)$/ } };
const SWITCH = /^(true|false|yes|no)$/;
const PLACE: ElementForm = { attributes: { address: IP, port: PORT }, needs: ['address'] };
const directions = (): ElementForm => ({
  attributes: { default: /^(allow|deny)$/ },
  children: { allow: RULE, deny: RULE },
  many: ['allow', 'deny'],
});

const DRAFT: ElementForm = {
  attributes: { id: NUMBER },
  contains: ['name'],
  children: {
    name: { text: /^[^\n/]+$/ },
    uuid: { text: UUID },
    listen: { ...PLACE, needs: [] },
    connections: { children: { connection: PLACE }, many: ['connection'] },
    dhcp: {
      attributes: { enabled: SWITCH },
      children: {
        ip: {
          attributes: { address: IP, netmask: IPV4, prefix: /^\d{1,3}$/, family: LINE, start: IP, end: IP },
          needs: ['address'],
        },
      },
      many: ['ip'],
    },
    forwarding: { attributes: { enabled: SWITCH }, children: { incoming: directions(), outgoing: directions() } },
  },
};

const FORMS = { network: NETWORK, networkport: NETWORK_PORT, draft: DRAFT } as const;
/** Elements of these namespaces stand in a network, and are read by others. */
const NAMESPACES = new Set(['http://libvirt.org/schemas/network/dnsmasq/1.0', OWN_NAMESPACE]);

/** @throws XmlNetworkError with code 92 */
export function checkForm(root: XmlElement, form: keyof typeof FORMS): void {
  check(root, FORMS[form], root.local === 'networkport' ? 'networkport.rng' : 'network.rng');
}

function check(element: XmlElement, form: ElementForm, schema: string): void {
  const { attributes = {}, needs = [], children = {}, many = [], contains = [], text, isOpen = false } = form;
  const { local } = element;
  const fail = (offset: number, message: string, rule: string) =>
    new XmlNetworkError(LIBVIRT_CODE.invalidDocument, `Unable to validate doc against ${schema}\n${message}`, {
      offset,
      domain: LIBVIRT_DOMAIN.xml,
      rule,
    });
  for (const { name, value, offset, namespace } of element.attributes) {
    if (namespace !== '')
      throw fail(offset, `Invalid attribute ${name} for element ${local}`, `<${local}> has no such attribute.`);
    const pattern = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    if (pattern === undefined) {
      const known = Object.keys(attributes).join(', ') || 'none';
      throw fail(
        offset,
        `Invalid attribute ${name} for element ${local}`,
        `The attributes of <${local}> are: ${known}.`,
      );
    }
    if (!pattern.test(value)) {
      throw fail(
        offset,
        `Element ${local} failed to validate attributes`,
        `${name} cannot be ${JSON.stringify(value.slice(0, 60))}.`,
      );
    }
  }
  const missing = needs.find((name) => !element.attributes.some((one) => one.name === name));
  if (missing !== undefined) {
    throw fail(
      element.offset,
      `Element ${local} failed to validate attributes`,
      `<${local}> has the attribute ${missing}.`,
    );
  }
  const seen = new Set<string>();
  for (const child of element.children) {
    if (child.kind !== 'element') {
      if (child.kind === 'comment' || text !== undefined || child.text.trim() === '') continue;
      throw fail(child.offset, `Did not expect text in element ${local} content`, `<${local}> has no text.`);
    }
    if (child.namespace !== '') {
      if (isOpen || NAMESPACES.has(child.namespace)) continue;
      const rule = 'Elements of other programs stand in <metadata>.';
      throw fail(child.offset, `Did not expect element ${child.name} there`, rule);
    }
    const inner = Object.hasOwn(children, child.local) ? children[child.local] : undefined;
    if (inner === undefined) {
      const known = Object.keys(children).join(', ') || 'none';
      const message = isOpen
        ? `Element ${child.local} has no namespace`
        : `Did not expect element ${child.local} there`;
      throw fail(
        child.offset,
        message,
        isOpen ? 'Elements in <metadata> have a namespace.' : `The elements of <${local}> are: ${known}.`,
      );
    }
    if (seen.has(child.local) && !many.includes(child.local)) {
      throw fail(child.offset, `Extra element ${child.local} in interleave`, `<${child.local}> stands once.`);
    }
    seen.add(child.local);
    check(child, inner, schema);
  }
  const absent = contains.find((name) => !seen.has(name));
  if (absent !== undefined) {
    throw fail(element.offset, `Expecting an element ${absent}, got nothing`, `<${local}> contains <${absent}>.`);
  }
  if (text === undefined) return;
  const content = element.children.map((child) => (child.kind === 'text' ? child.text : '')).join('');
  if (!text.test(content)) {
    throw fail(
      element.offset,
      `Error validating value ${JSON.stringify(content.slice(0, 60))}`,
      `The text of <${local}> does not fit.`,
    );
  }
}
