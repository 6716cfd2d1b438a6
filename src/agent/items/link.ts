/**
 * The links of a network on a node: its bridge, the VXLAN device that is the bridge's port to the other nodes, and the taps of
 * guests.
 */

import { isIpv6 } from '../../kernel/ip.ts';
import { isFixedOption, type LinkOptions, normalOption } from '../../kernel/rtnl/link-options.ts';
import { type BridgeAttributes, type LinkConf, NO_SETTING } from '../../kernel/rtnl/objects.ts';
import type { LinkChange, VxlanDevice } from '../../kernel/rtnl/operation.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { ItemKey, ItemKind, Operation } from './item-kind.ts';
import { type DeviceKind, OUR_LINK_GROUP } from './mark.ts';
import { RANK } from './rank.ts';

/** One of the links of a network. */
export interface LinkItem {
  readonly kind: 'link';
  readonly device: DeviceKind;
  readonly network: NetworkId;
  readonly name: string;
  /** Of a tap: the id of its port. */
  readonly portId?: string;
  readonly mac: Mac;
  readonly mtuBytes: number;
  readonly up: boolean;
  /** Name of the bridge that the VXLAN or tap is a port of; empty for a bridge. */
  readonly master: string;
  /** IFLA_GROUP: OUR_LINK_GROUP when the link is as desired. */
  readonly group: number;
  /** Of host0's device: name of the bridge that it is on. */
  readonly onBridge?: string;
  /** See `aliasOf` and `tapAlias`. */
  readonly alias: string;
  readonly addressMode: 'eui64' | 'none' | 'stable-privacy' | 'random';
  readonly conf: LinkConf;
  readonly vxlan?: VxlanDevice;
  /** Of a bridge. Absent in an observed item where the kernel has no such limit. */
  readonly learnedMax?: number;
  /** The options that are not at the kernel's default, or shall not be, by name. */
  readonly odd?: LinkOptions;
  /** Of a bridge: see `BridgeAttributes`. Absent in an observed item where the kernel has no such option. */
  readonly learnsLinkLocal?: boolean;
  /** Of a bridge: see `BridgeAttributes`. Absent in a desired item: as it is. */
  readonly forwardDelaySec?: number;
}

/**
 * Kernel settings of each of our links. The kernel ignores router advertisements and redirects, which a guest could
 * send. It forms no address automatically. It answers ARP only for addresses of the link on which the request came in.
 */
export const OUR_CONF: LinkConf = {
  disableIpv6: 0,
  acceptRa: 0,
  autoconf: 0,
  acceptRedirects: 0,
  acceptRedirects4: 0,
  arpIgnore: 1,
};

const CONF_FILES: { readonly [K in keyof LinkConf]: readonly [family: string, file: string] } = {
  disableIpv6: ['ipv6', 'disable_ipv6'],
  acceptRa: ['ipv6', 'accept_ra'],
  autoconf: ['ipv6', 'autoconf'],
  acceptRedirects: ['ipv6', 'accept_redirects'],
  acceptRedirects4: ['ipv4', 'accept_redirects'],
  arpIgnore: ['ipv4', 'arp_ignore'],
};
const CONF_NAMES = Object.keys(CONF_FILES) as readonly (keyof LinkConf)[];

/** Kernel settings of a tap: this machine itself has no address there, and sends no packet of its own to the guest. */
export const TAP_CONF: LinkConf = { ...OUR_CONF, disableIpv6: 1 };

/** `bridge:mesh-456` or `vxlan:mesh-456`: the device may have any name. */
export function linkKey(device: Exclude<DeviceKind, 'tap'>, network: NetworkId): ItemKey {
  return `${device}:${network}`;
}

/** `tap:1f`. @param portId the id of the tap's port */
export function tapKey(portId: string): ItemKey {
  return `tap:${portId}`;
}

function confOperations(link: string, have: LinkConf | undefined, want: LinkConf): Operation[] {
  return Object.entries(CONF_FILES).flatMap(([name, [family, file]]) => {
    const key = name as keyof LinkConf;
    if (have?.[key] === want[key]) return [];
    return [{ do: 'sysctl', path: ['net', family, 'conf', link, file], value: String(want[key]) }];
  });
}

/** The link and the setting of a path below /proc/sys; undefined when the path is not one of CONF_FILES. */
export function confOfPath(
  path: readonly string[],
  value: string,
): { link: string; conf: Partial<LinkConf> } | undefined {
  const [, family, , link, file] = path;
  const entry = Object.entries(CONF_FILES).find(([, [f, n]]) => f === family && n === file);
  return entry === undefined || link === undefined ? undefined : { link, conf: { [entry[0]]: Number(value) } };
}

type OptionsChange = Pick<LinkChange, 'options'>;

const NO_OPTIONS: Readonly<Record<string, number>> = {};

/** The differing fields as one change of rtnetlink. Of a VXLAN's attributes, only `local` may be missing. */
function changeOf(have: LinkItem, want: LinkItem): LinkChange {
  return {
    ...(have.name !== want.name && { name: want.name }),
    ...(have.mac !== want.mac && { mac: want.mac }),
    ...(have.mtuBytes !== want.mtuBytes && { mtuBytes: want.mtuBytes }),
    ...(have.master !== want.master && { master: want.master }),
    ...(have.group !== want.group && { group: want.group }),
    ...(have.alias !== want.alias && { alias: want.alias }),
    ...((have.addressMode !== want.addressMode || hasNoIpv6(have)) && { addressMode: 'none' as const }),
    ...(want.vxlan !== undefined && have.vxlan !== undefined && vxlanChange(have.vxlan, want.vxlan)),
    ...bridgeChange(have, want),
    ...optionsChange(have, want),
    ...(have.up !== want.up && { up: want.up }),
  };
}

/** The options that differ, with their wanted values. Each pass asks for those of every link, which hardly ever differ. */
function optionsChange({ odd: have = NO_OPTIONS }: LinkItem, { odd: want = NO_OPTIONS }: LinkItem): OptionsChange {
  let options: Record<string, number> | undefined;
  for (const odd of [want, have]) {
    for (const name in odd) {
      const value = want[name] ?? normalOption(name);
      if ((have[name] ?? normalOption(name)) !== value) options = { ...options, [name]: value };
    }
  }
  return options === undefined ? {} : { options };
}

/** The kernel has taken the link's IPv6 away, since its MTU was too small. A new one has the kernel's settings. */
function hasNoIpv6({ conf }: LinkItem): boolean {
  return conf.disableIpv6 === NO_SETTING;
}

/**
 * Deletes what the bridge has learnt at the port, when it shall learn there no more: a locked port takes frames of all senders
 * that were learnt before.
 */
function forgetting(have: LinkItem, want: LinkItem): Operation[] {
  const learnt = want.odd?.['port locked'] === 1 && have.odd?.['port learning'] !== 0;
  return learnt ? [{ do: 'link-set', link: want.name, change: { port: { flush: true } } }] : [];
}

/** Whether the kernel has a limit of learnt entries, and it is not the desired one. */
function learnsTooMuch(have: LinkItem, want: LinkItem): want is LinkItem & { readonly learnedMax: number } {
  return have.learnedMax !== undefined && want.learnedMax !== undefined && have.learnedMax !== want.learnedMax;
}

/** Whether the kernel can be told what to learn from, and does otherwise. */
function learnsElsewise(have: LinkItem, want: LinkItem): want is LinkItem & { readonly learnsLinkLocal: boolean } {
  const known = have.learnsLinkLocal !== undefined && want.learnsLinkLocal !== undefined;
  return known && have.learnsLinkLocal !== want.learnsLinkLocal;
}

/** Whether the kernel shows the bridge's own delay, and it is not the desired one. */
function forwardsElsewise(have: LinkItem, want: LinkItem): want is LinkItem & { readonly forwardDelaySec: number } {
  const known = have.forwardDelaySec !== undefined && want.forwardDelaySec !== undefined;
  return known && have.forwardDelaySec !== want.forwardDelaySec;
}

function bridgeChange(have: LinkItem, want: LinkItem): Pick<LinkChange, 'bridge'> {
  const bridge = {
    ...(learnsTooMuch(have, want) && { learnedMax: want.learnedMax }),
    ...(learnsElsewise(have, want) && { learnsLinkLocal: want.learnsLinkLocal }),
    ...(forwardsElsewise(have, want) && { forwardDelaySec: want.forwardDelaySec }),
  };
  return Object.keys(bridge).length === 0 ? {} : { bridge };
}

/** The attributes of a bridge in the words of ip(8). */
function bridgeWords({ learnedMax, learnsLinkLocal, forwardDelaySec }: BridgeAttributes): string {
  return [
    'type bridge',
    ...(learnedMax === undefined ? [] : [`fdb_max_learned ${learnedMax}`]),
    ...(learnsLinkLocal === undefined ? [] : [`no_linklocal_learn ${Number(!learnsLinkLocal)}`]),
    ...(forwardDelaySec === undefined ? [] : [`forward_delay ${100 * forwardDelaySec}`]),
  ].join(' ');
}

/** The words of ip(8) that set an option. */
function optionWords([name, value]: readonly [name: string, value: number]): string {
  const place = name.slice(0, name.indexOf(' '));
  const type = place === 'link' ? '' : `type ${place === 'port' ? 'bridge_slave' : place} `;
  return `${type}${name.slice(place.length + 1)} ${value}`;
}

/** The words of `ip link set` that differ from the field names of a change. */
const LINK_WORDS: Readonly<Record<string, string>> = { mac: 'address', mtuBytes: 'mtu', addressMode: 'addrgenmode' };

function vxlanChange(have: VxlanDevice, want: VxlanDevice): Pick<LinkChange, 'vxlan'> {
  const change = {
    ...(have.local !== want.local && want.local !== undefined && { local: want.local }),
    ...(have.learning !== want.learning && { learning: want.learning }),
    ...(have.df !== want.df && { df: want.df }),
    ...(have.hopLimit !== want.hopLimit && { hopLimit: want.hopLimit ?? 0 }),
    ...(have.group !== undefined && want.group === undefined && { noGroup: familyOf(have.group) }),
  };
  return Object.keys(change).length === 0 ? {} : { vxlan: change };
}

function familyOf(address: NonNullable<VxlanDevice['local']>): 'ipv4' | 'ipv6' {
  return isIpv6(address) ? 'ipv6' : 'ipv4';
}

/**
 * Whether only a new device can be as desired. The kernel cannot change the VNI, the UDP port or the underlay link
 * (EOPNOTSUPP), nor remove the source address or change its family; and it joins a group only when the device comes up.
 */
function isAnotherVxlan(have: VxlanDevice, want: VxlanDevice): boolean {
  return (
    have.vni !== want.vni ||
    have.udpPort !== want.udpPort ||
    have.dev !== want.dev ||
    (want.group !== undefined && have.group !== want.group) ||
    (want.local === undefined
      ? have.local !== undefined
      : familyOf(want.local) !== (have.local === undefined ? 'ipv4' : familyOf(have.local)))
  );
}

/** The words of ip(8) that make a VXLAN device. */
function vxlanWords({ vni, udpPort, group, local, dev, hopLimit, learning, df, entriesMax }: VxlanDevice): string {
  return [
    `type vxlan id ${vni} dstport ${udpPort}`,
    ...(group === undefined ? [] : [`group ${group}`]),
    ...(local === undefined ? [] : [`local ${local}`]),
    ...(dev === undefined ? [] : [`dev ${dev}`]),
    ...(hopLimit === undefined ? [] : [`ttl ${hopLimit}`]),
    learning ? 'learning' : 'nolearning',
    `df ${df}`,
    ...(entriesMax === undefined ? [] : [`maxaddress ${entriesMax}`]),
  ].join(' ');
}

/** The words of ip(8) that change a VXLAN device. */
function vxlanChangeWords({ local, learning, df, hopLimit, noGroup }: NonNullable<LinkChange['vxlan']>): string[] {
  return [
    ...(local === undefined ? [] : [`local ${local}`]),
    ...(learning === undefined ? [] : [learning ? 'learning' : 'nolearning']),
    ...(df === undefined ? [] : [`df ${df}`]),
    ...(hopLimit === undefined ? [] : [`ttl ${hopLimit}`]),
    ...(noGroup === undefined ? [] : [`remote ${noGroup === 'ipv6' ? '::' : '0.0.0.0'}`]),
  ];
}

/** The tap has no holder yet, so no frame enters before its options are set. */
function tapCreation({ name, mac, mtuBytes, master, alias, odd, conf }: LinkItem): Operation[] {
  const change = { alias, group: OUR_LINK_GROUP, mtuBytes, master, addressMode: 'none', up: true } as const;
  return [
    { do: 'tap-make', link: name, mac },
    { do: 'link-set', link: name, change: { ...change, ...(odd && { options: odd }) } },
    ...confOperations(name, undefined, conf),
  ];
}

/** Notes a field that differs. Most are equal: no pass makes a text, or a function, for these. */
function compare(differences: string[], what: string, a: unknown, b: unknown): void {
  if (a !== b) differences.push(`${what} ${differenceWord(a)} → ${differenceWord(b)}`);
}

function differenceWord(value: unknown): unknown {
  return value === '' || value === NO_SETTING ? 'none' : value;
}

/** Links are changed in place, except a VXLAN that the kernel cannot change (`isAnotherVxlan`). */
export const linkKind: ItemKind<LinkItem> = {
  key: ({ device, network, portId = '' }) => (device === 'tap' ? tapKey(portId) : linkKey(device, network)),
  dependsOn: ({ device, network }) => (device === 'host0' ? [linkKey('bridge', network)] : []),
  // A bridge that is made anew leaves its taps in place: an emulator has them open.
  after: ({ device, network }) => (device === 'tap' ? [linkKey('bridge', network)] : []),
  rank: (item) => RANK[item.device],

  differences(have, want) {
    const differences: string[] = [];
    compare(differences, 'name', have.name, want.name);
    compare(differences, 'mac', have.mac, want.mac);
    compare(differences, 'mtu', have.mtuBytes, want.mtuBytes);
    compare(differences, 'master', have.master, want.master);
    compare(differences, 'on', have.onBridge ?? '', want.onBridge ?? '');
    compare(differences, 'group', have.group, want.group);
    compare(differences, 'alias', have.alias, want.alias);
    compare(differences, 'addrgenmode', have.addressMode, want.addressMode);
    compare(differences, 'up', have.up, want.up);
    for (const name of CONF_NAMES) compare(differences, CONF_FILES[name][1], have.conf[name], want.conf[name]);
    if (have.vxlan !== undefined && want.vxlan !== undefined) {
      compare(differences, 'vni', have.vxlan.vni, want.vxlan.vni);
      compare(differences, 'port', have.vxlan.udpPort, want.vxlan.udpPort);
      if (want.vxlan.local !== undefined) compare(differences, 'local', have.vxlan.local, want.vxlan.local);
      compare(differences, 'learning', have.vxlan.learning, want.vxlan.learning);
      compare(differences, 'df', have.vxlan.df, want.vxlan.df);
      compare(differences, 'group', have.vxlan.group ?? '', want.vxlan.group ?? '');
      compare(differences, 'dev', have.vxlan.dev ?? '', want.vxlan.dev ?? '');
      compare(differences, 'ttl', have.vxlan.hopLimit ?? 'auto', want.vxlan.hopLimit ?? 'auto');
    }
    for (const [name, value] of Object.entries(optionsChange(have, want).options ?? {})) {
      compare(differences, name, have.odd?.[name] ?? normalOption(name), value);
    }
    if (learnsTooMuch(have, want)) compare(differences, 'fdb_max_learned', have.learnedMax, want.learnedMax);
    if (forwardsElsewise(have, want)) compare(differences, 'forward_delay', have.forwardDelaySec, want.forwardDelaySec);
    if (learnsElsewise(have, want)) differences.push(bridgeWords({ learnsLinkLocal: want.learnsLinkLocal }));
    return differences;
  },

  // Neither can the kernel change the limit of entries, but a device without one works: to make it anew would lose packets,
  // so the doctor tells.
  mustRecreate: (have, want) =>
    Object.keys(optionsChange(have, want).options ?? {}).some(isFixedOption) ||
    (have.vxlan !== undefined && want.vxlan !== undefined && isAnotherVxlan(have.vxlan, want.vxlan)) ||
    have.onBridge !== want.onBridge,

  print({ name, device, mac, mtuBytes, master, vxlan, onBridge, odd = {}, ...item }) {
    const options = Object.entries(odd).map((option) => ` && ip link set ${name} ${optionWords(option)}`);
    if (device === 'tap') {
      const set = `ip link set ${name} address ${mac} mtu ${mtuBytes} master ${master} up`;
      return `ip tuntap add ${name} mode tap vnet_hdr && ${set}${options.join('')}`;
    }
    if (onBridge !== undefined) {
      return `ip link add ${name} link ${onBridge} address ${mac} mtu ${mtuBytes} type macvlan mode bridge`;
    }
    const head = `ip link add ${name} address ${mac} mtu ${mtuBytes}`;
    if (device === 'bridge' || vxlan === undefined) return `${head} ${bridgeWords(item)}${options.join('')}`;
    return `${head} master ${master} ${vxlanWords(vxlan)}${options.join('')}`;
  },

  printChange(have, want) {
    const { vxlan, bridge, options = {}, ...plain } = changeOf(have, want);
    const words = Object.entries(plain).map(([name, value]) =>
      name === 'up' ? 'up' : `${LINK_WORDS[name] ?? name} ${value || 'none'}`,
    );
    const inner = vxlanChangeWords(vxlan ?? {});
    const type = inner.length === 0 ? [] : ['type vxlan', ...inner];
    const learning = bridge === undefined ? [] : [bridgeWords(bridge)];
    return ['ip link set', have.name, ...words, ...type, ...learning, ...Object.entries(options).map(optionWords)].join(
      ' ',
    );
  },

  // The kernel ignores or refuses the alias and the address mode in the create. `up` comes last, when all else is in place.
  create(item) {
    if (item.device === 'tap') return tapCreation(item);
    const {
      name,
      mac,
      mtuBytes,
      master,
      onBridge,
      alias,
      vxlan,
      device,
      learnedMax,
      learnsLinkLocal,
      forwardDelaySec,
      odd,
    } = item;
    return [
      {
        do: 'link-add',
        kind: device === 'host0' ? 'macvlan' : device,
        name,
        mac,
        mtuBytes,
        group: OUR_LINK_GROUP,
        ...(master !== '' && { master }),
        ...(onBridge !== undefined && { lower: onBridge }),
        ...(vxlan !== undefined && { vxlan }),
        ...(device === 'bridge' && {
          bridge: {
            ...(learnedMax !== undefined && { learnedMax }),
            ...(learnsLinkLocal !== undefined && { learnsLinkLocal }),
            ...(forwardDelaySec !== undefined && { forwardDelaySec }),
          },
        }),
      },
      { do: 'link-set', link: name, change: { alias, addressMode: 'none', up: true, ...(odd && { options: odd }) } },
      ...confOperations(name, undefined, item.conf),
    ];
  },

  change(have, want) {
    const change = changeOf(have, want);
    const operations = confOperations(want.name, have.conf, want.conf);
    if (Object.keys(change).length > 0) operations.unshift({ do: 'link-set', link: have.name, change });
    return [...operations, ...forgetting(have, want)];
  },

  // A link is renamed when its delete is deferred. Rules know a tap by its name, so the tap is off its bridge by then.
  remove: ({ name }) => [{ do: 'delete-deferred', link: name }],
};
