/**
 * The assignment of a node: all that one node should have, in one document. host0 composes it for each node (`PUT /assignment`
 * on the node's channel); a node that has only `.conf` files builds the same document from its files and the member lists. The
 * planner has no other input, apart from facts of the machine itself.
 *
 * An object that this version does not know is no reason to refuse the others: the reader (`readNodeAssignment`) keeps it apart.
 * Its status is then `failed` with MESH_NOT_SUPPORTED, and what the node had under its identifier stays.
 */
import { createHash } from 'node:crypto';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { ErrorCode, ErrorDocument } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { HostInterface } from '../../model/network/host-address.ts';
import type { Member } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { DynamicRange, Subnet } from '../../model/network/subnet.ts';
import type { Segment, UnderlayNic } from './assignment.ts';
import type { MembershipVersion } from './membership.ts';
import type { AssignedService } from './service/assigned-service.ts';
import type { AssignedWorkload, NodeCapacity, WorkloadRun } from './workload/assigned-workload.ts';

/** The newest format of the assignment that this version writes and reads. host0 also writes the one before, if there is one. */
export const NODE_ASSIGNMENT_FORMAT = 1;

/** Why a node takes part in a network. An attachment goes when no reason is left. */
export type AttachmentReason = 'file' | 'port' | 'service' | 'pinned';

/** Another node that holds a network whose peers host0 assigns. */
export interface AssignedPeer {
  readonly machine: MachineWord;
  /** Host name, for people. */
  readonly name: string;
  /** Where the node that reads this sends the VXLAN packets for the peer: the peer's address as the reader can reach it. */
  readonly underlay: Ipv4 | Ipv6;
  /** The Ethernet addresses of the peer's ports in this network, as far as host0 knows them. */
  readonly macs: readonly Mac[];
  /** The IP addresses of guests behind these ports. Absent: none is known. */
  readonly neighbours?: readonly PeerNeighbour[];
}

/** An IP address of a guest on another node, with the guest's Ethernet address. */
export interface PeerNeighbour {
  readonly address: Ipv4 | Ipv6;
  readonly mac: Mac;
}

/** How the nodes of one network find each other. */
export type AttachmentPeers =
  /** By the member list of the mesh. host0 gives other nodes no members: they have the list from its stream. */
  | {
      readonly kind: 'membership';
      /** The other members. On a node, host0 is always among them. */
      readonly members: readonly Member[];
      /**
       * On a node: whether host0 answers. While host0 does not, its neighbour entry is left out. The node then sends a neighbour
       * solicitation, from which host0 learns the node's address.
       */
      readonly host0Answers: boolean;
      /**
       * Remote VTEPs of entries that an earlier run of the agent left in the kernel. The rules accept VXLAN packets from them
       * until the member list is complete.
       */
      readonly keptSources?: readonly Ipv4[];
    }
  /**
   * By host0, which names the nodes that hold the network. On its way the list is the same for all nodes, so that host0 writes it
   * once: it includes the reader. The planner gets it without.
   */
  | { readonly kind: 'assigned'; readonly peers: readonly AssignedPeer[] }
  /** By a multicast group, by a list in the network itself, or not at all: there is nothing to tell. */
  | { readonly kind: 'multicast' | 'explicit' | 'none' };

/** One network on one node. */
export interface NodeAttachment {
  readonly network: Network;
  readonly reasons: readonly AttachmentReason[];
  readonly peers: AttachmentPeers;
  /** The node's own addresses in the subnets of the network, which host0 chose. Absent: none. */
  readonly hostAddresses?: readonly HostInterface[];
  /**
   * The parts of the dynamic ranges from which the node gives, by the subnet, where several nodes serve the network at addresses of their
   * own. Absent in the document of a host0 of before: nodes then divide the ranges among themselves.
   */
  readonly dhcpRanges?: readonly { readonly cidr: Subnet['cidr']; readonly ranges: readonly DynamicRange[] }[];
  readonly services: readonly AssignedService[];
}

/** An attachment that has not changed since the node told its digest: only its identity is sent. */
export interface UnchangedAttachment {
  readonly network: NetworkId;
  readonly digest: string;
}

/** The plug of an interface of the node in a network. */
export interface AssignedPort {
  /** Hex digits, given by host0. Absent for a port that the node's administrator plugged in and host0 has not taken up. */
  readonly id?: string;
  readonly network: NetworkId;
  /** Name of the interface. */
  readonly link: string;
  /** The Ethernet address of the guest, if it is known. */
  readonly mac?: Mac;
  /** The agent makes the interface: a tap, which an emulator opens. Absent: the interface is another program's. */
  readonly tap?: true;
  /** The IP addresses that the guest may send from, beside its link-local one. Absent: none was given. */
  readonly addresses?: readonly (Ipv4 | Ipv6)[];
  /** The guest is a router: it may send from any address, advertise itself and serve DHCP. */
  readonly trusted?: true;
}

/**
 * All that one node should have. Within an epoch, revisions only grow. A document is complete: within its epoch, an object that
 * it does not name is one that the node should not have any more.
 */
export interface NodeAssignment extends MembershipVersion {
  readonly format: number;
  readonly attachments: readonly NodeAttachment[];
  readonly ports: readonly AssignedPort[];
  readonly workloads: readonly AssignedWorkload[];
  /** The run of host0 that composed this, by a word. The node says it back (`NodeStatus.term`). Absent: from an older host0. */
  readonly term?: string;
  /** Orphans of the node that an administrator released. Absent: none. */
  readonly released?: readonly OrphanName[];
  /**
   * The word of the node for what it said of its ports when host0 composed this (`NodeStatus.said`). The node keeps a network in
   * which it has plugged a port since: host0 is about to hear of it. Absent: from an older host0.
   */
  readonly heard?: string;
  /** On host0: it forwards VXLAN packets between these segments, and nothing else. */
  readonly segments: readonly Segment[];
  /** On host0: the NICs that its agent keeps up. */
  readonly nics: readonly UnderlayNic[];
}

/**
 * What one node should have, whatever it comes from: the node's files, its administrator's commands, and host0's assignment are
 * folded into it. The planner has no other input, apart from facts of the machine itself.
 */
export type NodeDocument = Pick<NodeAssignment, 'attachments' | 'ports' | 'segments' | 'nics'>;

/** The kinds of objects that have a status of their own. */
export type ObjectKind = 'network' | 'port' | 'service' | 'workload';

/** How one object is. Ages and no times, because the clocks of two machines differ. */
export type ObjectState =
  | { readonly state: 'ready' }
  | { readonly state: 'pending'; readonly why: string; readonly ageSec: number }
  | { readonly state: 'failed'; readonly code: ErrorCode; readonly message: string; readonly remedy: string };

/** What a node tells of a port, beside the port's state. */
export interface PortStatus {
  /** An emulator or another holder has the interface open, and it has carrier. */
  readonly bound: boolean;
  /** The frames that the rules refused, by kind, while the last of them is not ten minutes ago. Absent: none. */
  readonly refused?: readonly RefusedFrames[];
}

/** The frames of one kind that the rules refused from a port. */
export interface RefusedFrames {
  /** docs/ports.md */
  readonly kind: string;
  readonly frames: number;
  /** The Ethernet addresses that the frames came from, as far as they are known. */
  readonly macs: readonly string[];
}

/**
 * How one object of a node is. `id` is the identifier of a network, a service or a workload, or the interface of a port. `port` is
 * there for ports of host0 alone; an older node does not say.
 */
export type ObjectStatus = { readonly kind: ObjectKind; readonly id: string; readonly port?: PortStatus } & ObjectState;

/** An object of an assignment that this version cannot read. */
export interface UnsupportedObject {
  readonly kind: ObjectKind;
  readonly id: string;
  /** The end of a sentence about the object: `is of the type "geneve"`. */
  readonly why: string;
}

/** What tells one orphan of a node from the others. */
export interface OrphanName {
  readonly kind: 'network' | 'port' | 'workload';
  /** The identifier of the network or of the workload, or the interface of the port. */
  readonly id: string;
  /** The epoch under which the object was assigned. */
  readonly epoch: string;
}

/**
 * An object that was assigned under another epoch: host0's store is another one than before, and does not know the object. The
 * object stays as it is until an administrator adopts or releases it.
 */
export interface Orphan extends OrphanName {
  /**
   * The object's whole document (a `NodeAttachment`, an `AssignedPort` or an `AssignedWorkload`), from which host0 can make the
   * object again.
   */
  readonly document: unknown;
}

/** An orphan of a node, as host0 lists it. */
export interface NodeOrphan extends Orphan {
  readonly machine: MachineWord;
  /** The node's name. */
  readonly node: string;
}

/** Whom a node hears in the multicast group of a network. */
export interface GroupHearing {
  /** The nodes, each with the fewest hops that a hello of it needed: 1 when no router is between. */
  readonly hears: readonly { readonly machine: MachineWord; readonly hops: number }[];
  /** The node has listened for long enough: who is not in the list does not come through. */
  readonly settled: boolean;
}

/** What a node tells host0 of itself: the status stream of the channel. */
export interface NodeStatus {
  /** The newest format of an assignment that the node reads. */
  readonly format: number;
  /** The instance in the node's reports (`SelfReport`), by which host0 knows which reports are those of this node. */
  readonly instance?: string;
  /** The assignment in force; absent before the first one. */
  readonly assignment?: MembershipVersion;
  /** The term of the assignment in force. An older node has none. */
  readonly term?: string;
  /** The epochs of assignments that the node had before the one in force. An older node does not say. */
  readonly epochsBefore?: readonly string[];
  /** Whether the assignment in force is on the node's disk, so that it survives a restart. */
  readonly kept: boolean;
  /** A word for `ports`: another list has another word. host0 says it back (`NodeAssignment.heard`). An older node has none. */
  readonly said?: string;
  /** The digest of each attachment that the node has from host0 (`attachmentDigest`), so that host0 sends only others. */
  readonly digests: Readonly<Record<NetworkId, string>>;
  readonly objects: readonly ObjectStatus[];
  /** Ports that the node's administrator plugged in. They are without `id`. */
  readonly ports: readonly (Omit<AssignedPort, 'network'> & { readonly network: NetworkId | string })[];
  readonly orphans: readonly Orphan[];
  /** How each workload runs. An older node runs none. */
  readonly runs?: readonly WorkloadRun[];
  /** What the node has for workloads. Absent: from an older node, or before the node has asked its emulator. */
  readonly capacity?: NodeCapacity;
  /**
   * Where the node's VTEP of a network with assigned peers is, for networks over IPv6 or on an underlay device of their own. In all
   * others it is at the node's address towards host0, which host0's kernel sees.
   */
  readonly vteps?: Readonly<Record<NetworkId, Ipv4 | Ipv6>>;
  /** Whom the node hears in the groups of its networks with multicast peers. Absent: it has none, or is an older node. */
  readonly groups?: Readonly<Record<NetworkId, GroupHearing>>;
}

/** The answer to `PUT /assignment`. */
export type AssignmentAnswer =
  | { readonly accepted: true; readonly version: MembershipVersion; readonly kept: boolean }
  /** MESH_ASSIGNMENT_STALE, MESH_ASSIGNMENT_INCOMPLETE or MESH_HOST0_MALFORMED. Nothing of the document is in force. */
  | { readonly accepted: false; readonly error: ErrorDocument };

const DIGEST_HEX = 32;
const digests = new WeakMap<object, string>();

/**
 * The digest of an attachment: 32 hex digits over its whole content, whatever the order of its keys. It is made of the document
 * as it came, so that a node which does not know a field still has the digest that host0 has.
 */
export function attachmentDigest(attachment: object): string {
  const known = digests.get(attachment);
  if (known !== undefined) return known;
  const parts = Object.entries(attachment).map(([key, value]): [string, string] => [key, partDigest(value)]);
  const digest = digestOf(JSON.stringify(parts.sort(byKey)));
  digests.set(attachment, digest);
  return digest;
}

/** The digest of a part. host0 uses one object for the network and its peers in all nodes' documents: they are digested once. */
function partDigest(part: unknown): string {
  if (typeof part !== 'object' || part === null) return digestOf(JSON.stringify(part));
  const known = digests.get(part);
  if (known !== undefined) return known;
  const digest = digestOf(JSON.stringify(inOrder(part)));
  digests.set(part, digest);
  return digest;
}

/** The same value, with the keys of all its objects in order. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(entries.map(([key, field]): [string, unknown] => [key, inOrder(field)]).sort(byKey));
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : Number(a > b);
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_HEX);
}
