/**
 * Options of links, bridges, ports and VXLANs that Meshwork leaves as the kernel makes them, unless a network says otherwise
 * (linux/if_link.h). Another program that changes one can cut a mesh off. So each link is read with those of its options that
 * are not at the kernel's default, and a change can set them.
 */
import type { AttributeTable } from '../netlink/attribute-table.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';

/** Options by name, with their values. The names are those of ip(8), after their place: `bridge stp_state`. */
export type LinkOptions = Readonly<Record<string, number>>;

/** The message part that has an option: the link's own attributes, or those of its kind. */
export type OptionPlace = 'link' | 'bridge' | 'vxlan' | 'port';

interface LinkOption {
  readonly type: number;
  readonly bytes: 1 | 4;
  /** The kernel's default. An absent attribute counts as the default. */
  readonly normal: number;
  /** Only a new device has the default again: the kernel refuses the change, or ignores it. */
  readonly fixed?: true;
}

const OPTIONS: { readonly [P in OptionPlace]: Readonly<Record<string, LinkOption>> } = {
  link: {
    mode: { type: 17, bytes: 1, normal: 0 },
    protodown: { type: 39, bytes: 1, normal: 0 },
  },
  bridge: {
    stp_state: { type: 5, bytes: 4, normal: 0 },
    vlan_filtering: { type: 7, bytes: 1, normal: 0 },
  },
  vxlan: {
    tos: { type: 6, bytes: 1, normal: 0 },
    ageing: { type: 8, bytes: 4, normal: 300 },
    localbypass: { type: 31, bytes: 1, normal: 1 },
    proxy: { type: 11, bytes: 1, normal: 0, fixed: true },
    rsc: { type: 12, bytes: 1, normal: 0, fixed: true },
    l2miss: { type: 13, bytes: 1, normal: 0, fixed: true },
    l3miss: { type: 14, bytes: 1, normal: 0, fixed: true },
    external: { type: 25, bytes: 1, normal: 0, fixed: true },
    vnifilter: { type: 30, bytes: 1, normal: 0, fixed: true },
  },
  port: {
    state: { type: 1, bytes: 1, normal: 3 },
    hairpin: { type: 4, bytes: 1, normal: 0 },
    guard: { type: 5, bytes: 1, normal: 0 },
    root_block: { type: 6, bytes: 1, normal: 0 },
    learning: { type: 8, bytes: 1, normal: 1 },
    flood: { type: 9, bytes: 1, normal: 1 },
    proxy_arp: { type: 10, bytes: 1, normal: 0 },
    proxy_arp_wifi: { type: 12, bytes: 1, normal: 0 },
    mcast_router: { type: 25, bytes: 1, normal: 1 },
    mcast_flood: { type: 27, bytes: 1, normal: 1 },
    mcast_to_unicast: { type: 28, bytes: 1, normal: 0 },
    vlan_tunnel: { type: 29, bytes: 1, normal: 0 },
    bcast_flood: { type: 30, bytes: 1, normal: 1 },
    neigh_suppress: { type: 32, bytes: 1, normal: 0 },
    isolated: { type: 33, bytes: 1, normal: 0 },
    backup_port: { type: 34, bytes: 4, normal: 0 },
    locked: { type: 39, bytes: 1, normal: 0 },
    mab: { type: 40, bytes: 1, normal: 0 },
    mcast_max_groups: { type: 42, bytes: 4, normal: 0 },
  },
};

/** The highest attribute type of the options of each place. */
export const OPTION_TYPE_MAX = { vxlan: 31, port: 42 } as const;

/** Reads the options of one place that are not at their default. */
export function readOddOptions(place: OptionPlace, attributes: AttributeTable): LinkOptions {
  const odd: Record<string, number> = {};
  for (const [name, { type, bytes, normal }] of Object.entries(OPTIONS[place])) {
    if (!attributes.has(type)) continue;
    const value = bytes === 1 ? attributes.u8(type) : attributes.u32(type);
    if (value !== normal) odd[`${place} ${name}`] = value;
  }
  return odd;
}

/** Writes those of the options that are of this place. */
export function writeOptions(writer: MessageWriter, place: OptionPlace, options: LinkOptions): void {
  for (const [name, { type, bytes }] of Object.entries(OPTIONS[place])) {
    const value = options[`${place} ${name}`];
    if (value === undefined) continue;
    if (bytes === 1) writer.attributeU8(type, value);
    else writer.attributeU32(type, value);
  }
}

/** Whether one of the options is of this place. */
export function hasOptionOf(place: OptionPlace, options: LinkOptions | undefined): boolean {
  return Object.keys(options ?? {}).some((name) => name.startsWith(`${place} `));
}

/** The kernel's default of an option. */
export function normalOption(name: string): number {
  // The two flags of a link's header, arp and multicast, are set.
  return optionCalled(name)?.normal ?? 1;
}

/** Whether only a new device has the option's default again. */
export function isFixedOption(name: string): boolean {
  return optionCalled(name)?.fixed === true;
}

function optionCalled(name: string): LinkOption | undefined {
  const at = name.indexOf(' ');
  const options: Readonly<Record<string, Readonly<Record<string, LinkOption>>>> = OPTIONS;
  return options[name.slice(0, at)]?.[name.slice(at + 1)];
}
