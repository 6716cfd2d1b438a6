/**
 * host0's settings, `/host0/host0.conf` or `/etc/pxen/host0.conf`: lines of `key="value"`, with several values side by side.
 *
 *     subnet_pool="10.11.0.0/16" "192.168.0.0/23"   # pools from which new boot segments get their subnets
 *     default_subnet_size="25"                      # prefix length of such a subnet, 1 to 30
 *     segment_ports="eth1" "eth2"                   # NICs that boot segments may be on; by default, every suitable NIC
 *     member_subnets="10.20.0.0/16"                 # further subnets, behind routers, from which nodes may join
 *     default_networks="manage"                     # network files that every machine gets
 *     flavor="alpine"                               # what machines boot that name no flavor: debian (by default) or alpine
 *     boot="auto"                                   # off (sends and answers nothing), auto, dry (says what it would answer)
 *     boot_mode="eth1=server" "eth2=off"            # off, observe, proxy, server or auto, for the segment of a NIC
 *     manual_subnets="eth1=10.20.0.0/24" "eth2=26"  # the subnet, or its prefix length, of the segment of a NIC
 *     join_groups="eth1 eth2"                       # NICs on one segment, even if they do not hear each other
 *     port_settle_sec="35"                          # how long host0 listens after a port came up, before it gives addresses
 *     admission="known"                             # who may join: open (all machines), known (machines with a folder), token;
 *                                                   # by default, open until the first machine has a folder, then known
 *     shared_ids="4c4c4544-0000-2010-8020-80c04f202020" "EVAL 1"   # UUIDs and serials that several machines have
 *     metrics="manage"                              # the network that metrics are served in; by default, in none
 *     network_numbers="0x1000-0xffff" "0x20000-0xffffff"   # numbers that host0 gives to networks which name none
 *     reserved_numbers="0x2000-0x20ff"              # numbers among them that host0 leaves out
 *     number_rest_sec="3600"                        # how long the number of a deleted network is given to no other
 *     store="etcd://10.0.0.1:2379,10.0.0.2:2379"    # where host0 keeps what it knows; by default sqlite, a file of its own
 *     libvirt="own"                                 # off, own (virsh finds the networks at a socket of Meshwork's), system (at
 *                                                   # virtnetworkd's, too: on a machine where no libvirt serves networks)
 *     host0s="10.11.0.1" "10.11.0.2"                # the machines that can be host0, where there are several; `store` is an etcd
 */

import { type Ipv4, type Ipv4Cidr, ipv4Length, isIpv4, parseIpv4Cidr } from '../../model/address/ipv4.ts';
import { MeshError, type SourcePlace } from '../../model/error.ts';
import type { EtcdEndpoint } from '../../model/etcd-endpoint.ts';
import { DEFAULT_NUMBER_RULES, type NumberRange, type NumberRules } from '../../model/network/number.ts';
import { NETWORK_NAME } from '../../model/network/words.ts';
import { WANTED_MODES, type WantedMode } from '../../protocol/documents/boot-views.ts';
import { isSegment } from '../../protocol/shapes/parts.ts';
import { parseConfText } from '../conf/conf-file.ts';
import { ConfKeys, quoted } from '../conf/conf-keys.ts';
import { errnoOf, readConfBytes, unreadable } from '../conf/conf-reader.ts';
import { nearest } from '../conf/nearest.ts';
import { FLAVOR_RULE, FLAVORS, type Flavor, isFlavor } from './flavor.ts';
import { NUMBER_RANGE_EXAMPLE, NUMBER_RANGE_RULE, parseNumberRange } from './number-words.ts';
import { type Fault, isFault, oneWord, severalWords } from './setting-value.ts';
import { parseStoreWord, STORE_EXAMPLE, STORE_RULE } from './store-word.ts';

/** The keys whose values name network devices. */
const DEVICE_KEYS = ['segment_ports', 'boot_mode', 'manual_subnets', 'join_groups'] as const;
/** One of the keys whose values name network devices. */
export type DeviceKey = (typeof DEVICE_KEYS)[number];

const ADMISSIONS = ['open', 'known', 'token'] as const;
/** Who may become a member: controller/membership/admission.ts decides. */
export type Admission = (typeof ADMISSIONS)[number];

const BOOTS = ['off', 'auto', 'dry'] as const;
/** Whether host0 boots machines. With `dry`, host0 only says what it would have answered. */
export type BootSwitch = (typeof BOOTS)[number];

const LIBVIRT_SWITCHES = ['off', 'own', 'system'] as const;
/** Where host0 speaks libvirt's protocol: nowhere, at its own socket, or at that of virtnetworkd, too. */
export type LibvirtSwitch = (typeof LIBVIRT_SWITCHES)[number];

/** The boot mode of one NIC's segment. */
export interface NicMode {
  readonly port: string;
  readonly mode: WantedMode;
}

/** The subnet of one NIC's segment, or the prefix length of a subnet that host0 is to choose. */
export interface PortSubnet {
  readonly port: string;
  readonly subnet: Ipv4Cidr | number;
}

/** All settings, with the defaults for keys that are not given. */
export interface Host0Settings {
  readonly subnetPool: readonly Ipv4Cidr[];
  readonly defaultSubnetSize: number;
  /** Undefined: host0 uses every suitable NIC. */
  readonly segmentNics: readonly string[] | undefined;
  /** Subnets from which nodes may join besides those of the NICs: host0 reaches them by routers. */
  readonly memberSubnets: readonly Ipv4Cidr[];
  /** Names of network files, without `.conf`, that every machine gets in addition to those of its manifest. */
  readonly defaultNetworks: readonly string[];
  /** Undefined: `open` until the first machine has a folder, then `known`. */
  readonly admission: Admission | undefined;
  readonly boot: BootSwitch;
  /** What machines boot that name no flavor, and whose groups do not. Undefined: the node image. */
  readonly flavor: Flavor | undefined;
  /** The mode of other NICs is `auto`. */
  readonly bootModes: readonly NicMode[];
  readonly manualSubnets: readonly PortSubnet[];
  /** Groups of NICs that are on one segment, even if a scan does not find so. */
  readonly joinGroups: readonly (readonly string[])[];
  /** How long the port of a switch may pass nothing after it came up: host0 gives no addresses before. */
  readonly portSettleSec: number;
  /** UUIDs and board serials that several machines have, so that they identify none; in lower case. */
  readonly sharedIds: readonly string[];
  /** Name of the network whose members may read host0's metrics. Undefined: none. */
  readonly metricsNetwork: string | undefined;
  /** Name of the mesh in which nodes have their channels to host0. Undefined: the only mesh, else `manage`. */
  readonly management: string | undefined;
  /** The members of the etcd in which host0 keeps what it knows. Empty: a file of its own. */
  readonly store: readonly EtcdEndpoint[];
  /** The underlay addresses of the machines that can be host0. Empty: this machine alone is host0. */
  readonly host0s: readonly Ipv4[];
  /** Whether programs of libvirt manage the networks. */
  readonly libvirt: LibvirtSwitch;
  /** Which numbers host0 gives to networks. */
  readonly networkNumbers: NumberRules;
}

/** The settings of a host0 without host0.conf. */
export const HOST0_DEFAULTS: Host0Settings = {
  subnetPool: [parseIpv4Cidr('10.11.0.0/16')],
  defaultSubnetSize: 25,
  segmentNics: undefined,
  memberSubnets: [],
  defaultNetworks: ['manage'],
  admission: undefined,
  // host0 must not disturb a network before its administrator has decided to boot machines there.
  boot: 'off',
  flavor: undefined,
  bootModes: [],
  manualSubnets: [],
  joinGroups: [],
  // A switch with spanning tree forwards nothing for 30 s after a link came up (IEEE 802.1D §8.10: twice 15 s), and 5 s more
  // let host0 ask once the switch forwards.
  portSettleSec: 35,
  sharedIds: [],
  metricsNetwork: undefined,
  management: undefined,
  store: [],
  host0s: [],
  libvirt: 'off',
  networkNumbers: DEFAULT_NUMBER_RULES,
};

/** The keys of host0.conf. */
export const HOST0_KEYS = [
  'subnet_pool',
  'default_subnet_size',
  'segment_ports',
  'member_subnets',
  'default_networks',
  'admission',
  'boot',
  'flavor',
  'boot_mode',
  'manual_subnets',
  'join_groups',
  'port_settle_sec',
  'shared_ids',
  'metrics',
  'management',
  'store',
  'host0s',
  'libvirt',
  'network_numbers',
  'reserved_numbers',
  'number_rest_sec',
] as const;

/** A parsed host0.conf. */
export interface Host0Conf {
  /** Absent when there are errors: with half a configuration, host0 might admit machines that the whole one keeps out. */
  readonly settings?: Host0Settings;
  /** The place of `default_networks`, if the file has this key. */
  readonly defaultNetworksPlace?: SourcePlace;
  /** The places of the keys whose values name devices, as far as the file has them. */
  readonly devicePlaces?: Readonly<Partial<Record<DeviceKey, SourcePlace>>>;
  readonly errors: readonly MeshError[];
}

/** The settings in the first of `files` that exists; the defaults when none does. */
export async function readHost0Conf(files: readonly string[]): Promise<Host0Conf> {
  for (const file of files) {
    try {
      return parseHost0Conf(file, await readConfBytes(file));
    } catch (cause) {
      if (errnoOf(cause) !== 'ENOENT') return { errors: [unreadable(file, cause)] };
    }
  }
  return { settings: HOST0_DEFAULTS, errors: [] };
}

/** Parses a file; `file` is its name in errors. */
export function parseHost0Conf(file: string, bytes: Uint8Array): Host0Conf {
  const text = parseConfText(file, bytes);
  if (text instanceof MeshError) return { errors: [text] };
  const keys = new ConfKeys(text, HOST0_KEYS);
  const settings: Host0Settings = {
    subnetPool: keys.optional('subnet_pool', severalWords(parsePool)) ?? HOST0_DEFAULTS.subnetPool,
    defaultSubnetSize: keys.optional('default_subnet_size', oneWord(parseSize)) ?? HOST0_DEFAULTS.defaultSubnetSize,
    segmentNics: keys.optional('segment_ports', severalWords(parseNic)),
    memberSubnets: keys.optional('member_subnets', severalWords(parseMemberSubnet)) ?? HOST0_DEFAULTS.memberSubnets,
    defaultNetworks:
      keys.optional('default_networks', severalWords(parseNetworkName)) ?? HOST0_DEFAULTS.defaultNetworks,
    admission: keys.optional('admission', oneWord(parseAdmission)),
    boot: keys.optional('boot', oneWord(parseBoot)) ?? HOST0_DEFAULTS.boot,
    flavor: keys.optional('flavor', oneWord(parseFlavor)),
    bootModes: keys.optional('boot_mode', severalWords(parseNicMode)) ?? HOST0_DEFAULTS.bootModes,
    manualSubnets: keys.optional('manual_subnets', severalWords(parseNicSubnet)) ?? HOST0_DEFAULTS.manualSubnets,
    joinGroups: keys.optional('join_groups', severalWords(parseGroup)) ?? HOST0_DEFAULTS.joinGroups,
    portSettleSec: keys.optional('port_settle_sec', oneWord(parseSettleSec)) ?? HOST0_DEFAULTS.portSettleSec,
    sharedIds: keys.optional('shared_ids', severalWords(parseSharedId)) ?? HOST0_DEFAULTS.sharedIds,
    metricsNetwork: keys.optional('metrics', oneWord(parseNetworkName)),
    management: keys.optional('management', oneWord(parseNetworkName)),
    store: keys.optional('store', oneWord(parseStore))?.members ?? HOST0_DEFAULTS.store,
    host0s: keys.optional('host0s', severalWords(parseHost0)) ?? HOST0_DEFAULTS.host0s,
    libvirt: keys.optional('libvirt', oneWord(parseLibvirt)) ?? HOST0_DEFAULTS.libvirt,
    networkNumbers: {
      ranges: keys.optional('network_numbers', severalWords(parseRange)) ?? DEFAULT_NUMBER_RULES.ranges,
      reserved: keys.optional('reserved_numbers', severalWords(parseRange)) ?? DEFAULT_NUMBER_RULES.reserved,
      restSec: keys.optional('number_rest_sec', oneWord(parseRestSec)) ?? DEFAULT_NUMBER_RULES.restSec,
    },
  };
  if (keys.errors.length > 0) return { errors: keys.errors };
  const place = keys.placeOf('default_networks');
  const places = DEVICE_KEYS.map((key) => [key, keys.placeOf(key)] as const).filter(([, at]) => at !== text.end);
  return {
    settings,
    errors: [],
    ...(places.length > 0 && { devicePlaces: Object.fromEntries(places) }),
    ...(place !== text.end && { defaultNetworksPlace: place }),
  };
}

function parsePool(word: string): Ipv4Cidr | Fault {
  try {
    return parseIpv4Cidr(word);
  } catch (error) {
    const { message, remedy } = MeshError.from(error);
    const example = /^Write (\S+)\.$/.exec(remedy ?? '')?.[1] ?? HOST0_DEFAULTS.subnetPool.join();
    return { fault: message, rule: 'A pool is an IPv4 network, as in 10.11.0.0/16.', example };
  }
}

function parseMemberSubnet(word: string): Ipv4Cidr | Fault {
  const subnet = parsePool(word);
  if (isFault(subnet)) return { ...subnet, rule: 'A member subnet is an IPv4 network, as in 10.20.0.0/16.' };
  if (isSegment(subnet)) return subnet;
  const rule = 'A member subnet has a prefix of at least 8 bits, and addresses that machines can have.';
  return { fault: `${quoted(word)} is not a subnet of machines`, rule, example: '10.20.0.0/16' };
}

function parseSize(word: string): number | Fault {
  if (/^(?:[1-9]|[12][0-9]|30)$/.test(word)) return Number(word);
  const rule = 'A subnet size is the length of a prefix in bits, from 1 to 30.';
  return { fault: `${quoted(word)} is not a subnet size`, rule, example: String(HOST0_DEFAULTS.defaultSubnetSize) };
}

/** The longest time that `port_settle_sec` takes: the largest timers of spanning tree make 60 s. */
const SETTLE_MAX_SEC = 300;

function parseSettleSec(word: string): number | Fault {
  if (/^\d{1,3}$/.test(word) && Number(word) <= SETTLE_MAX_SEC) return Number(word);
  const rule = `A time is a number of seconds, from 0 (the switches forward at once) to ${SETTLE_MAX_SEC}.`;
  return { fault: `${quoted(word)} is not a time`, rule, example: String(HOST0_DEFAULTS.portSettleSec) };
}

function parseNic(word: string): string | Fault {
  // A device name that the kernel accepts (net/core/dev.c, dev_valid_name).
  if (/^[^\s/:]{1,15}$/.test(word) && word !== '.' && word !== '..') return word;
  const rule = 'A NIC is the name of a network device, 1 to 15 characters without blanks, slashes and colons.';
  return { fault: `${quoted(word)} is not the name of a device`, rule, example: 'eth1' };
}

function parseSharedId(word: string): string | Fault {
  if (/^[\x20-\x7e]{1,128}$/.test(word)) return word.trim().toLowerCase();
  const rule = 'A shared id is the UUID or the board serial of a machine, as its firmware shows it.';
  return { fault: `${quoted(word)} is no UUID or serial`, rule, example: '4c4c4544-0000-2010-8020-80c04f202020' };
}

function parseNetworkName(word: string): string | Fault {
  if (NETWORK_NAME.test(word)) return word;
  const rule = 'A network is named by letters, digits, dots, underscores and hyphens.';
  return { fault: `${quoted(word)} is not the name of a network`, rule, example: 'manage' };
}

function parseHost0(word: string): Ipv4 | Fault {
  if (isIpv4(word)) return word;
  const rule = 'A machine that can be host0 is named by its IPv4 address on the underlay.';
  return { fault: `${quoted(word)} is not an IPv4 address`, rule, example: '10.11.0.1' };
}

function parseStore(word: string): { readonly members: readonly EtcdEndpoint[] } | Fault {
  const members = parseStoreWord(word);
  if (members !== undefined) return { members };
  return { fault: `${quoted(word)} is not a store`, rule: STORE_RULE, example: STORE_EXAMPLE };
}

function parseRange(word: string): NumberRange | Fault {
  const range = parseNumberRange(word);
  if (range !== undefined) return range;
  return { fault: `${quoted(word)} is not a range of numbers`, rule: NUMBER_RANGE_RULE, example: NUMBER_RANGE_EXAMPLE };
}

/** A month: who wants longer reserves the number. */
const REST_MAX_SEC = 2_592_000;

function parseRestSec(word: string): number | Fault {
  if (/^\d{1,7}$/.test(word) && Number(word) <= REST_MAX_SEC) return Number(word);
  const rule = `A time is a number of seconds, from 0 (numbers do not rest) to ${REST_MAX_SEC}.`;
  return { fault: `${quoted(word)} is not a time`, rule, example: String(DEFAULT_NUMBER_RULES.restSec) };
}

function parseAdmission(word: string): Admission | Fault {
  const admission = ADMISSIONS.find((known) => known === word);
  if (admission !== undefined) return admission;
  const rule =
    'Admission is open (all machines join), known (machines with a folder) or token (machines with a key of this host0).';
  return {
    fault: `${quoted(word)} is not a kind of admission`,
    rule,
    example: nearest(word, ADMISSIONS) ?? 'known',
  };
}

function parseBoot(word: string): BootSwitch | Fault {
  const boot = BOOTS.find((known) => known === word);
  if (boot !== undefined) return boot;
  const rule =
    'Boot is off (host0 sends and answers nothing), auto, or dry (host0 only says what it would have answered).';
  return { fault: `${quoted(word)} is not a known value`, rule, example: nearest(word, BOOTS) ?? 'auto' };
}

function parseLibvirt(word: string): LibvirtSwitch | Fault {
  const known = LIBVIRT_SWITCHES.find((name) => name === word);
  if (known !== undefined) return known;
  const rule =
    'libvirt is off, own (programs of libvirt connect to a socket of host0), or system (to that of virtnetworkd, too).';
  return { fault: `${quoted(word)} is not a known value`, rule, example: nearest(word, LIBVIRT_SWITCHES) ?? 'own' };
}

function parseFlavor(word: string): Flavor | Fault {
  if (isFlavor(word)) return word;
  return { fault: `${quoted(word)} is no flavor`, rule: FLAVOR_RULE, example: nearest(word, FLAVORS) ?? 'alpine' };
}

function parseNicMode(word: string): NicMode | Fault {
  const [, nic = '', mode = ''] = /^(.*)=(.*)$/.exec(word) ?? [];
  const known = WANTED_MODES.find((name) => name === mode);
  const named = parseNic(nic);
  if (known !== undefined && typeof named === 'string') return { port: named, mode: known };
  const rule = 'A mode is written NIC=MODE, and is off, observe, proxy, server or auto.';
  const example = `${typeof named === 'string' ? named : 'eth1'}=${nearest(mode, WANTED_MODES) ?? 'auto'}`;
  return { fault: `${quoted(word)} is not the mode of a NIC`, rule, example };
}

function parseNicSubnet(word: string): PortSubnet | Fault {
  const [, nic = '', wish = ''] = /^(.*)=(.*)$/.exec(word) ?? [];
  const named = parseNic(nic);
  const subnet = wish.includes('/') ? parsePool(wish) : parseSize(wish);
  if (typeof named === 'string' && !isFault(subnet)) {
    const size = typeof subnet === 'number' ? subnet : ipv4Length(subnet);
    if (size >= 1 && size <= 30) return { port: named, subnet };
  }
  const rule = 'A subnet is written NIC=SUBNET, or NIC=SIZE for one from the pools; its prefix has 1 to 30 bits.';
  const example = `${typeof named === 'string' ? named : 'eth1'}=${isFault(subnet) ? subnet.example : '10.20.0.0/24'}`;
  return { fault: `${quoted(word)} is not the subnet of a NIC`, rule, example };
}

function parseGroup(word: string): readonly string[] | Fault {
  const nics = word.split(/\s+/).filter((nic) => nic !== '');
  if (nics.length > 1 && nics.every((nic) => typeof parseNic(nic) === 'string')) return nics;
  const rule = 'A group is two or more NICs in quotes, with blanks between them.';
  return { fault: `${quoted(word)} is not a group of NICs`, rule, example: 'eth1 eth2' };
}
