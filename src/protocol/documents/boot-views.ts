/**
 * The documents about host0's boot segments. On `control.sock`: GET /v1/boot → BootView · POST /v1/scan → ScanView ·
 * POST /v1/boot/stop stops the dnsmasq processes.
 */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';

/** All modes, the most careful first. */
export const BOOT_MODES = ['off', 'observe', 'proxy', 'server'] as const;
/**
 * What host0 does on a segment. `off`: nothing. `observe`: probes for other servers, and answers nothing. `proxy`: gives boot
 * files beside another DHCP server. `server`: gives addresses, too.
 */
export type BootMode = (typeof BOOT_MODES)[number];
/** The modes that `boot_mode` in host0.conf takes. */
export const WANTED_MODES = [...BOOT_MODES, 'auto'] as const;
/** What the settings say; with `auto`, host0 chooses the mode. */
export type WantedMode = (typeof WANTED_MODES)[number];

/** Why a segment is in its mode. Shown to people as it is. */
export type ModeReason =
  /** The settings fix the mode. */
  | 'configured'
  /** Too few probes were sent yet. */
  | 'probing'
  /** The mode of the dnsmasq that an earlier host0 process left running. */
  | 'as before'
  | 'another server answers'
  /** A DHCP server that was heard answers no more, and host0 does not replace it yet. */
  | 'server silent'
  | 'nobody else answers'
  /** Another host0 was on the segment first. */
  | 'another host0';

/** One of host0's NICs, or a bridge that has NICs as ports, as a scan found it. */
export interface NicView {
  readonly name: string;
  readonly mac: Mac;
  /** IFF_UP: set up, whether or not it has a carrier. */
  readonly up: boolean;
  /** It has a carrier: a switch or machine that runs is at the other end of the cable. */
  readonly carrier: boolean;
  /** Global addresses with the lengths of their prefixes. */
  readonly ipv4: readonly string[];
  /** The bridge that it is a port of. */
  readonly bridge?: string;
}

/** The result of a scan: which of host0's NICs are on one segment. */
export interface ScanView {
  /** When the scan began, ISO 8601. */
  readonly time: string;
  readonly tookMs: number;
  /** NICs that hear each other, or are in one bridge, by name: one array for each physical segment that has a carrier. */
  readonly groups: readonly (readonly string[])[];
  readonly nics: readonly NicView[];
  /** Which NIC heard the probe of which other NIC, by name. */
  readonly heard: readonly { readonly from: string; readonly by: string }[];
}

/** Another DHCP or PXE server that was heard on a segment. */
export interface ForeignServerView {
  /** Its address: DHCP option 54, else the sender of its packet. */
  readonly server: Ipv4;
  readonly mac: Mac;
  readonly gives: 'addresses' | 'boot files';
  /** The subnet of the addresses that it gives, if its packets showed it. */
  readonly subnet?: Ipv4Cidr;
  readonly heardSecAgo: number;
}

/** Another host0 that was heard on a segment. */
export interface RivalView {
  /** Its installation id, 8 hex digits. */
  readonly installation: string;
  readonly mac: Mac;
  readonly ipv4?: Ipv4;
  /** It was on the segment first, so this host0 stays passive there. */
  readonly senior: boolean;
  readonly heardSecAgo: number;
}

/** An address that host0 gave to a machine. */
export interface LeaseView {
  readonly mac: Mac;
  readonly ipv4: Ipv4;
  /** The host name that the machine gave. */
  readonly name?: string;
  /** ISO 8601. */
  readonly expires: string;
}

/** The subnet of a segment. */
export interface SubnetView {
  readonly subnet: Ipv4Cidr;
  /** `own`: of an address that the NIC has. `manual`: from `manual_subnets`. `dynamic`: from `subnet_pool`. */
  readonly origin: 'own' | 'manual' | 'dynamic';
  /** host0's address in it. */
  readonly ipv4: Ipv4;
}

/** One boot segment: host0's mode there, what host0 serves, and which other servers it hears. */
export interface SegmentView {
  /** The names of all NICs of host0 on the segment. */
  readonly nics: readonly string[];
  /** The NIC through which host0 serves the segment. The others are not used. */
  readonly device: string;
  readonly wanted: WantedMode;
  readonly mode: BootMode;
  readonly reason: ModeReason;
  readonly sinceSec: number;
  /** For how many seconds more host0 only listens, since the ports of the segment may pass nothing yet. Absent: no longer. */
  readonly settlesInSec?: number;
  /** The dnsmasq of the segment; absent if none should run, `would` in dry mode. */
  readonly service?: { readonly state: 'running' | 'restarting' | 'would'; readonly pid?: number };
  readonly subnet?: SubnetView;
  /** Empty unless host0 is a server there. */
  readonly leases: readonly LeaseView[];
  readonly foreignServers: readonly ForeignServerView[];
  readonly otherHost0s: readonly RivalView[];
  /** What is wrong with host0's service on the segment. */
  readonly remark?: string;
  /** What to do about that. */
  readonly remedy?: string;
  /** What host0 would have answered, one line an answer, newest last; in dry mode only. */
  readonly wouldHaveAnswered?: readonly string[];
}

/** All boot segments of host0. */
export interface BootView {
  /** The setting `boot` of host0.conf. */
  readonly boot: 'off' | 'auto' | 'dry';
  /** The id by which other host0s know this one, 8 hex digits; `00000000` with `boot=off`. */
  readonly installation: string;
  readonly segments: readonly SegmentView[];
}
