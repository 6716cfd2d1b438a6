/**
 * What host0 says of its boot segments. `control.sock`: GET /v1/boot → BootView · POST /v1/scan → ScanView ·
 * POST /v1/boot/stop ends the processes that serve them.
 */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';

export const BOOT_MODES = ['off', 'observe', 'proxy', 'server'] as const;
/** `proxy` gives boot files beside another DHCP server, `server` addresses too. */
export type BootMode = (typeof BOOT_MODES)[number];
export const WANTED_MODES = [...BOOT_MODES, 'auto'] as const;
export type WantedMode = (typeof WANTED_MODES)[number];

/** Why a segment is in its mode. */
export type ModeReason =
  | 'configured'
  | 'probing'
  | 'as before'
  | 'another server answers'
  | 'server silent'
  | 'nobody else answers'
  | 'another host0';

/** One of host0's ports, as a scan found it. */
export interface NicView {
  readonly name: string;
  readonly mac: Mac;
  /** Set up by the administrator. */
  readonly up: boolean;
  /** It has a carrier: somebody is at the other end. */
  readonly carrier: boolean;
  readonly ipv4: readonly string[];
  /** The bridge that it is a port of. */
  readonly bridge?: string;
}

export interface ScanView {
  /** ISO 8601. */
  readonly time: string;
  readonly tookMs: number;
  /** Ports that hear each other, or are in one bridge: one physical segment each, however many switches it has. */
  readonly groups: readonly (readonly string[])[];
  readonly nics: readonly NicView[];
  /** Which port heard which other's probe. */
  readonly heard: readonly { readonly from: string; readonly by: string }[];
}

export interface ForeignServerView {
  readonly server: Ipv4;
  readonly mac: Mac;
  readonly gives: 'addresses' | 'boot files';
  readonly subnet?: Ipv4Cidr;
  readonly heardSecAgo: number;
}

export interface RivalView {
  readonly installation: string;
  readonly ipv4?: Ipv4;
  /** It was here first: the segment is its. */
  readonly senior: boolean;
  readonly heardSecAgo: number;
}

export interface LeaseView {
  readonly mac: Mac;
  readonly ipv4: Ipv4;
  readonly name?: string;
  /** ISO 8601. */
  readonly expires: string;
}

export interface SubnetView {
  readonly subnet: Ipv4Cidr;
  /** `own`: the port had an address already; the others were given by host0. */
  readonly origin: 'own' | 'manual' | 'dynamic';
  /** host0's address in it. */
  readonly ipv4: Ipv4;
}

export interface SegmentView {
  readonly nics: readonly string[];
  /** The port that serves; the group's others would only repeat it. */
  readonly device: string;
  readonly wanted: WantedMode;
  readonly mode: BootMode;
  readonly reason: ModeReason;
  readonly sinceSec: number;
  /** What serves: absent where nothing does; `would` in dry mode. */
  readonly service?: { readonly state: 'running' | 'restarting' | 'would'; readonly pid?: number };
  readonly subnet?: SubnetView;
  readonly leases: readonly LeaseView[];
  readonly foreignServers: readonly ForeignServerView[];
  readonly otherHost0s: readonly RivalView[];
  /** Why nothing is served that should be. */
  readonly remark?: string;
  /** What to do about that. */
  readonly remedy?: string;
  /** What would have been answered, newest last; in dry mode only. */
  readonly wouldHaveAnswered?: readonly string[];
}

export interface BootView {
  readonly boot: 'off' | 'auto' | 'dry';
  readonly installation: string;
  readonly segments: readonly SegmentView[];
}
