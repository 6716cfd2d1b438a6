/**
 * What may be in documents of networks and of network ports: elements, attributes and values, as strict as libvirt's schema. The
 * tables are ours.
 */

/** What may be in an element. */
export interface ElementForm {
  readonly attributes?: Readonly<Record<string, Pick<RegExp, 'test'>>>;
  /** Attributes that must be there. */
  readonly needs?: readonly string[];
  readonly children?: Readonly<Record<string, ElementForm>>;
  /** Elements that stand any number of times; all others stand once. */
  readonly many?: readonly string[];
  /** Elements that must be there. */
  readonly contains?: readonly string[];
  /** Attributes or elements of which one at most stands. */
  readonly excludes?: readonly string[];
  /** Attributes of which one or more stand. */
  readonly oneOf?: readonly string[];
  /** What the text of the element is; without one, the element has no text. */
  readonly text?: RegExp;
  /** Anything of other namespaces. */
  readonly isOpen?: boolean;
}

/** Numbers between two limits. */
function between(min: number, max: number): Pick<RegExp, 'test'> {
  return { test: (text) => /^\d{1,17}$/.test(text) && BigInt(text) >= min && BigInt(text) <= max };
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
const PORT = between(1, 65_535);
const WORD16 = between(0, 65_535);
const HEX_OR_NUMBER = /^(0x[0-9a-fA-F]{1,8}|\d{1,10})$/;
const UUID = /^[a-fA-F0-9]{8}-?([a-fA-F0-9]{4}-?){3}[a-fA-F0-9]{12}$/;

const SPEED = between(1, 2 ** 54);
const rate: ElementForm = { attributes: { average: SPEED, peak: SPEED, burst: NUMBER, floor: SPEED } };
const BANDWIDTH: ElementForm = {
  children: { inbound: rate, outbound: rate },
};
const VLAN: ElementForm = {
  attributes: { trunk: /^yes$/ },
  children: { tag: { attributes: { id: between(0, 4_095), nativeMode: /^(tagged|untagged)$/ }, needs: ['id'] } },
  many: ['tag'],
  contains: ['tag'],
};
const VIRTUAL_PORT: ElementForm = {
  attributes: { type: /^(802\.1Qbg|802\.1Qbh|openvswitch|midonet)$/ },
  children: {
    parameters: {
      attributes: {
        managerid: /^(0x[0-9a-fA-F]{1,2}|\d|\d\d|1\d\d|2[0-4]\d|25[0-5])$/,
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
    domain: /^(0x)?[0-9a-fA-F]{1,8}$/,
    bus: /^(0x)?[0-9a-fA-F]{1,2}$/,
    slot: /^(0x)?[01]?[0-9a-fA-F]$/,
    function: /^(0x)?[0-7]$/,
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
    prefix: between(0, 128),
    localPtr: YES_NO,
  },
  excludes: ['netmask', 'prefix'],
  children: {
    tftp: { attributes: { root: ANY }, needs: ['root'] },
    dhcp: {
      children: {
        range: { attributes: { start: IP, end: IP }, needs: ['start', 'end'], children: { lease: LEASE } },
        host: {
          attributes: { mac: MAC, id: /^([0-9a-fA-F]{1,2}:)*[0-9a-fA-F]{1,2}$/, name: DNS_NAME, ip: IP },
          needs: ['ip'],
          oneOf: ['mac', 'name'],
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
    name: { text: ANY },
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
    mac: { attributes: { address: MAC }, needs: ['address'] },
    mtu: { attributes: { size: WORD16 }, needs: ['size'] },
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
      excludes: ['interface', 'address'],
    },
    virtualport: VIRTUAL_PORT,
    portgroup: {
      attributes: { name: LINE, default: YES_NO, trustGuestRxFilters: YES_NO },
      needs: ['name'],
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
            port: WORD16,
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
        prefix: between(0, 128),
        gateway: IP,
        metric: NUMBER,
      },
      needs: ['gateway'],
      excludes: ['netmask', 'prefix'],
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
      ...BANDWIDTH,
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
    name: { text: ANY },
    uuid: { text: UUID },
    listen: { ...PLACE, needs: [] },
    connections: { children: { connection: PLACE }, many: ['connection'] },
    dhcp: {
      attributes: { enabled: SWITCH },
      children: {
        ip: {
          attributes: { address: IP, netmask: IPV4, prefix: between(0, 128), family: LINE, start: IP, end: IP },
          needs: ['address'],
        },
      },
      many: ['ip'],
    },
    forwarding: { attributes: { enabled: SWITCH }, children: { incoming: directions(), outgoing: directions() } },
  },
};

/** The forms, by what is checked. */
export const FORMS = { network: NETWORK, networkport: NETWORK_PORT, draft: DRAFT } as const;
