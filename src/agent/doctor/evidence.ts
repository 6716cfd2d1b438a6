/** The doctor's evidence. It is collected before any check runs, so that every check is a pure function of it. */

import type { Feature } from '../../kernel/probe.ts';
import type { Link, Neighbour } from '../../kernel/rtnl/objects.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { MeshError } from '../../model/error.ts';
import type { Member } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { DoctorFinding, NetworkView, PortView } from '../../protocol/documents/views.ts';
import type { Chain } from '../firewall/chain.ts';
import type { ItemKey } from '../items/item-kind.ts';
import type { GuestMeans } from '../workloads/guest-means.ts';

/** Everything that the checks know about the machine. */
export interface Evidence {
  readonly role: 'host0' | 'node';
  readonly networks: readonly NetworkView[];
  /** The networks on whose bridges this machine has addresses. Absent: none. */
  readonly hosted?: readonly HostedNetwork[];
  readonly links: readonly Link[];
  /** The ports on bridges of networks. */
  readonly ports: readonly PortView[];
  readonly neighbours: readonly Neighbour[];
  readonly tableFulls: TableFulls;
  /** The links that VXLAN packets come and go through: one on a node, one for each segment on host0. */
  readonly underlay: readonly UnderlayLinkEvidence[];
  /** The value of a setting by its path below /proc/sys; undefined when there is none. */
  readonly setting: (name: string) => string | undefined;
  readonly counters: Counters;
  /** The chains of every nft table except Meshwork's. */
  readonly chains: readonly Chain[];
  /** Names of the running programs that configure networks. */
  readonly rivals: readonly string[];
  readonly disk: DiskEvidence;
  /** What the node has for its guests; undefined while it has none. */
  readonly guests?: GuestEvidence | undefined;
  /** `24.21.0` */
  readonly nodeVersion: string;
  readonly features: readonly Feature[];
  /** Steps of the plan whose failure lasts. */
  readonly failures: readonly { readonly item: ItemKey; readonly error: MeshError }[];
  /** The findings of the agent and, on host0, of the daemon. */
  readonly health: readonly Finding[];
  readonly paths: readonly PathEvidence[];
  /** Other underlay addresses that answer as host0 of a network. */
  readonly otherHost0s: readonly OtherHost0[];
  /** The underlay addresses of host0 that this node was told, or of this host0 on its segments. */
  readonly knownHost0: readonly Ipv4[];
  readonly sharedAddresses: readonly SharedAddress[];
  /** How far this machine's clock is ahead of host0's; undefined when host0 did not answer. */
  readonly aheadOfHost0Ms: number | undefined;
}

/** A network on whose bridge this machine has addresses. */
export interface HostedNetwork {
  readonly bridge: string;
  readonly families: readonly ('ipv4' | 'ipv6')[];
  /** This machine leads its guests outside. */
  readonly isRouted: boolean;
}

/** A link of VXLAN packets, and this machine's underlay address on it. */
export interface UnderlayLinkEvidence {
  readonly link: Link;
  readonly ipv4: Ipv4;
  /** The subnet of the segment; only on host0. */
  readonly subnet?: Ipv4Cidr;
}

/** Packets in this network namespace. */
export interface Counters {
  /** Since boot. Dropped by rp_filter: the route to the sender uses another interface than the packet came in on. */
  readonly reversePathDrops: number;
  /** In the last two minutes. */
  readonly checksumErrors: number;
  /**
   * In the last two minutes: VXLAN packets that were dropped since they came in by another NIC than the one that the route
   * to their sender uses.
   */
  readonly fromElsewhere: number;
}

/** How often the kernel's neighbour table of a family was full, since boot; undefined in a namespace that is not told. */
export interface TableFulls {
  readonly ipv4: number | undefined;
  readonly ipv6: number | undefined;
}

/** What a node has for its guests. */
export interface GuestEvidence extends GuestMeans {
  readonly processor: ProcessorEvidence;
  readonly hasKvmDevice: boolean;
  /** Undefined where it cannot be looked at. */
  readonly cache?: ImageCacheEvidence | undefined;
}

/** What the processor says of virtual machines. */
export interface ProcessorEvidence {
  /** It can run guests itself. */
  readonly virtualization: boolean;
  /** This machine is a virtual machine. */
  readonly isGuest: boolean;
  /** As in the names of the modules of KVM. */
  readonly vendor: 'intel' | 'amd';
}

/** The cache of disk images. */
export interface ImageCacheEvidence {
  readonly directory: string;
  readonly limitBytes: number;
  readonly usedBytes: number;
  /** Of images without a volume: they give way for others. */
  readonly unusedBytes: number;
  /** Of the file system. */
  readonly freeBytes: number;
}

/** The file system of the agent's state directory. */
export interface DiskEvidence {
  readonly directory: string;
  readonly totalBytes: number;
  /** Free for users other than root, as `df` shows it. */
  readonly freeBytes: number;
  readonly totalInodes: number;
  readonly freeInodes: number;
}

/** An underlay address that answers as host0 of a network, and is none of host0's known ones. */
export interface OtherHost0 {
  readonly network: Mesh;
  readonly ipv4: Ipv4;
  /** It is another address of the machine that has a known one. */
  readonly isKnownMachine: boolean;
}

/** An underlay address of this machine or of a member that several network cards have. */
export interface SharedAddress {
  readonly ipv4: Ipv4;
  /** Name of the link to the segment. */
  readonly device: string;
  /** Of the cards that answer for the address, this machine's first. */
  readonly macs: readonly Mac[];
}

/** The result of the echoes to one member. */
export interface PathEvidence {
  readonly network: Mesh;
  readonly member: Member;
  /** Whether its underlay address answers. */
  readonly underlay: boolean;
  /** Whether its address in the mesh answers. */
  readonly mesh: boolean;
  /** The largest packet that came back unfragmented; 0 if the mesh did not answer. */
  readonly provedBytes: number;
  /** The router on the way to its underlay address; undefined for a member on this machine's segment. */
  readonly via?: Ipv4;
}

/** A finding of one check. Without `message`, `saw` is the message. */
export type CheckFinding = Omit<DoctorFinding, 'check' | 'message'> & Partial<Pick<DoctorFinding, 'message'>>;

/** One check of the doctor. */
export interface Check {
  /** As in the output and in docs/doctor.md: `udp-4789`. */
  readonly name: string;
  readonly find: (evidence: Evidence) => readonly CheckFinding[];
}
