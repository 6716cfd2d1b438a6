/** What the doctor knows of the machine when it judges: collected first, so that every check is a function of it. */

import type { Feature } from '../../kernel/probe.ts';
import type { Link, Neighbour } from '../../kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { MeshError } from '../../model/error.ts';
import type { Member } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { DoctorFinding, NetworkView } from '../../protocol/documents/views.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { Chain } from './filter-chain.ts';

export interface Evidence {
  readonly role: 'host0' | 'node';
  readonly networks: readonly NetworkView[];
  readonly links: readonly Link[];
  readonly neighbours: readonly Neighbour[];
  /** The links that VXLAN packets come and go through: one on a node, one for each segment on host0. */
  readonly underlay: readonly UnderlayNicEvidence[];
  /** The value of a setting by its path below /proc/sys; undefined when there is none. */
  readonly setting: (name: string) => string | undefined;
  readonly counters: Counters;
  /** The chains of every nft table that is not ours. */
  readonly chains: readonly Chain[];
  /** Names of the running programs that configure networks. */
  readonly rivals: readonly string[];
  readonly disk: DiskEvidence;
  /** `24.21.0` */
  readonly nodeVersion: string;
  readonly features: readonly Feature[];
  /** Steps that failed again and again. */
  readonly failures: readonly { readonly item: ItemKey; readonly error: MeshError }[];
  /** What the agent, and on host0 the daemon, finds by itself. */
  readonly health: readonly Finding[];
  readonly paths: readonly PathEvidence[];
  /** Who else answers as host0. */
  readonly otherHost0s: readonly { readonly network: Network; readonly ipv4: Ipv4 }[];
  /** How far this machine's clock is ahead of host0's; undefined when host0 did not tell. */
  readonly aheadOfHost0Ms: number | undefined;
}

export interface UnderlayNicEvidence {
  readonly link: Link;
  readonly ipv4: Ipv4;
}

/** Since boot, in this network namespace. */
export interface Counters {
  /** Dropped since they came in where the route back does not go out. */
  readonly reversePathDrops: number;
  readonly checksumErrors: number;
}

export interface DiskEvidence {
  readonly directory: string;
  readonly totalBytes: number;
  /** For whoever is not root, as `df` shows it. */
  readonly freeBytes: number;
  readonly totalInodes: number;
  readonly freeInodes: number;
}

/** What echoes to a member told. */
export interface PathEvidence {
  readonly network: Network;
  readonly member: Member;
  /** Whether its underlay address answers. */
  readonly underlay: boolean;
  /** Whether its address in the mesh answers. */
  readonly mesh: boolean;
  /** The largest packet that came back whole, if the mesh answered. */
  readonly provedBytes: number;
}

/** What a check tells. Without a message, what it saw is the message. */
export type CheckFinding = Omit<DoctorFinding, 'check' | 'message'> & Partial<Pick<DoctorFinding, 'message'>>;

export interface Check {
  readonly name: string;
  readonly find: (evidence: Evidence) => readonly CheckFinding[];
}
