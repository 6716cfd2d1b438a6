/**
 * The documents that the control sockets answer with; `--json` prints the same. The routes are in protocol/routes/.
 */

import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { MachineId, MachineWord } from '../../model/machine.ts';
import type { Holder, Member } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Segment, UnderlayNic } from './assignment.ts';
import type { Finding } from './finding.ts';
import type { MembershipVersion, NetworkState } from './membership.ts';
import type { AttachmentReason, RefusedFrames } from './node-assignment.ts';

/** A network on this machine: what it is, its state here, and its members. */
export interface NetworkView {
  readonly network: Mesh;
  readonly state: NetworkState;
  /** This machine's own addresses in the network. */
  readonly self: { readonly mac: Mac; readonly ipv6: Ipv6 };
  /** All members, host0 first; this machine is among them. */
  readonly members: readonly Member[];
  /** On a node: whether host0 answers in this mesh now. */
  readonly host0Answers?: boolean;
  /** Why this machine has the network. An older agent does not say. */
  readonly reasons?: readonly AttachmentReason[];
}

/** Another node that holds a network which host0 has given. */
export interface PeerView {
  readonly name: string;
  readonly machine: MachineWord;
  /** Where this machine sends the VXLAN packets for the peer. */
  readonly underlay: Ipv4 | Ipv6;
  readonly mac: Mac;
  /** The address of the peer's bridge: link-local where the network has no addresses for its nodes. */
  readonly ipv6: Ipv6;
}

/** A network that host0 has given to this machine, beside the meshes of the files. */
export interface GivenNetworkView {
  readonly network: Network;
  readonly state: NetworkState;
  /**
   * The addresses of this machine's bridge. The IPv6 address is link-local where the network has none for its nodes. `addresses` are those
   * that the bridge has beside link-local ones; an older agent does not say.
   */
  readonly self: {
    readonly mac: Mac;
    readonly ipv6: Ipv6;
    readonly underlay?: Ipv6;
    readonly addresses?: readonly (Ipv4 | Ipv6)[];
  };
  /** The other nodes that hold the network; absent where host0 does not name them. */
  readonly peers?: readonly PeerView[];
  /** The interfaces of this machine that are plugged into the network, or should be. */
  readonly ports: readonly string[];
  /** Why this machine has the network. An older agent does not say. */
  readonly reasons?: readonly AttachmentReason[];
}

/** The assignment of a node: in force, since the last restart perhaps only from the node's own disk; or still awaited. */
export type AssignmentView =
  | {
      readonly state: 'in force';
      readonly version: MembershipVersion;
      readonly from: 'host0' | 'disk';
      readonly kept: boolean;
    }
  | { readonly state: 'pending'; readonly why: string };

/** The channel between a node and host0. `none`: the node does not ask for one. */
export type ChannelView =
  | { readonly state: 'standing'; readonly ageSec: number }
  | { readonly state: 'down'; readonly ageSec: number; readonly why: string }
  | { readonly state: 'none'; readonly why: string };

/**
 * A node as host0 knows it. An agent makes the same list from its member lists: present members only, without the
 * optional fields.
 */
export interface NodeView {
  readonly name: string;
  readonly machine?: MachineId;
  readonly role: 'host0' | 'node';
  readonly online: boolean;
  readonly ipv4: Ipv4;
  readonly lastSeenMsAgo?: number;
  /** The node's channel to host0, as host0 sees it; absent for host0 itself, and from an older host0. */
  readonly channel?: ChannelView;
  readonly meshes: readonly {
    readonly network: NetworkId;
    readonly name: string;
    readonly mac: Mac;
    readonly ipv6: Ipv6;
    readonly state?: NetworkState;
  }[];
}

/**
 * Why the machines on the network of a NIC may ask to join a mesh: host0.conf names the NIC, it has no default route, or
 * it is host0's only NIC. Or why not: it has the default route, its boot mode is off, or rules cannot hold its name.
 */
export type JoinReason = 'named' | 'no default route' | 'only NIC' | 'default route' | 'off' | 'unfit name';

/** A network on a NIC of host0, and who of its machines may become a member. */
export interface JoinView {
  readonly device: string;
  readonly subnet: Ipv4Cidr;
  /** The admission of machines there; `none` where the NIC is no segment. */
  readonly admits: 'open' | 'known' | 'token' | 'none';
  readonly why: JoinReason;
}

/** How a host0 stands to the others. */
export interface LeadershipView {
  /** `waits`: another leads, or none does and this host0 must not. */
  readonly state: 'leads' | 'waits';
  /** The name of the host0 that leads; absent while none does. */
  readonly leader?: string;
  /** Why this host0 does not lead when the other one ends. Absent: it would. */
  readonly why?: string;
  /** Tells the key file from another. Absent where there is one host0 only. */
  readonly key?: string;
  /** The digest of the tree `/host0`. */
  readonly tree?: string;
  /** The newest revision of the store that this host0 has seen. */
  readonly revision?: number;
  /** Of the host0 that leads: the subnets that nodes can be on. */
  readonly segments?: readonly Segment[];
  /** Of the host0 that leads: the NICs that its agent sets up. */
  readonly nics?: readonly UnderlayNic[];
}

/** The state of host0's daemon. */
export interface Host0Status {
  readonly role: 'host0';
  readonly version: string;
  readonly node: string;
  readonly upSec: number;
  readonly epoch: string;
  readonly revision: number;
  readonly segments: readonly Segment[];
  /** From where machines may join. An older daemon does not say. */
  readonly joins?: readonly JoinView[];
  readonly nodesOnline: number;
  readonly networks: number;
  /** Which of several host0s leads. An older daemon does not say. */
  readonly leadership?: LeadershipView;
  readonly health: readonly Finding[];
}

/** The state of a node's agent. */
export interface AgentStatus {
  readonly role: 'agent';
  readonly version: string;
  readonly node: string;
  readonly machine: MachineWord;
  readonly upSec: number;
  readonly host0: readonly Ipv4[];
  /** Absent on host0 itself, and from an older agent. */
  readonly channel?: ChannelView;
  /** Absent where the node asks for no channel, and from an older agent. */
  readonly assignment?: AssignmentView;
  readonly networks: readonly NetworkView[];
  /** The networks that host0 has given. An older agent does not say. */
  readonly given?: readonly GivenNetworkView[];
  /** Numbers of kernel items: those that the agent owns, those still to be made or changed, and those that failed. */
  readonly items: { readonly owned: number; readonly pending: number; readonly failed: number };
  readonly health: readonly Finding[];
}

/** host0's own agent tells host0's daemon the state of each network on host0 (`PUT /v1/self`). */
export interface SelfStatus {
  readonly networks: Readonly<Record<NetworkId, NetworkState>>;
}

/** One step of a plan. */
export interface StepView {
  readonly action: 'create' | 'change' | 'recreate' | 'delete';
  readonly item: string;
  /** The command that an administrator would type: `ip link add …`, `bridge fdb replace …`. */
  readonly text: string;
  /** For a change: what is different, as in `mtu 1400 → 1380`. */
  readonly difference?: string;
}

/** The steps that the agent would take now; none when the kernel is as it should be. */
export interface PlanView {
  readonly steps: readonly StepView[];
  /** Faults of this machine's links to the underlay, which no step mends. An agent of an earlier version has none. */
  readonly findings?: readonly Finding[];
}

/** The difference between the desired items and a fresh dump of the kernel. */
export interface DriftView {
  readonly steps: readonly StepView[];
  /** Number of items in which the agent's cache disagreed with that dump. */
  readonly cacheDifference: number;
}

/** Why an object of the kernel or of Meshwork exists. */
export interface ExplainView {
  readonly object: string;
  readonly network?: Network;
  /** The reasons for the object, most general first: file, network, member, item. */
  readonly reasons: readonly string[];
  /**
   * The kernel items that belong to the object, each with the command that makes it. An unwanted item has the command
   * that removes it.
   */
  readonly items: readonly {
    readonly item: string;
    readonly text: string;
    readonly state: 'ready' | 'missing' | 'different' | 'unwanted';
  }[];
}

/** The body of `POST /v1/ping`: echo requests from this machine to another member. */
export interface PingRequest {
  readonly network: string;
  readonly node: string;
  readonly count?: number;
  readonly intervalMs?: number;
}

/** The answer to `POST /v1/ping`, after the last echo. */
export interface PingResult {
  readonly network: string;
  /** `ipv4` is the VTEP over IPv4, `underlay` the one over IPv6. */
  readonly from: Holder;
  readonly to: Holder;
  /** Devices and addresses on the way: `br456 → vxlan456 → 10.11.0.2`. */
  readonly path: readonly string[];
  readonly sent: number;
  readonly received: number;
  readonly rttMs: readonly number[];
  /** The largest IPv6 packet that came back whole, and the network's MTU. */
  readonly mtu: { readonly provedBytes: number; readonly promisedBytes: number };
}

/** A foreign interface that is, or should be, a port of a network's bridge. */
export interface PortView {
  readonly interface: string;
  /** The identifier of the network; its name while the node does not have the network. */
  readonly network: string;
  /** The network's name; absent while it is not known, and from an older agent. */
  readonly networkName?: string;
  readonly state: 'wanted' | 'plugged';
  /** The agent has made the interface, and an emulator has it open. */
  readonly bound?: true;
  /** Why the port is not on its bridge. An older agent says so only while host0 has not given the network. */
  readonly why?: string;
  /** The MTU of the interface; absent while it does not exist, and from an older agent. */
  readonly mtuBytes?: number;
  /** The interface is set down, so that no frame passes. */
  readonly down?: true;
  /**
   * Frames of the port that the rules for guests refused, by kind (docs/ports.md), while the last of them is not ten
   * minutes ago, with the Ethernet addresses that they came from. An older agent gives none.
   */
  readonly refused?: readonly RefusedFrames[];
}

/** The roles of a node, which networks can span. */
export interface NodeRolesView {
  /** The node's name. */
  readonly node: string;
  readonly machine: MachineWord;
  readonly roles: readonly string[];
}

/** A port that host0 has placed on a node, as host0 lists it. */
export interface PlacedPortView {
  /** Hex digits. An id is never given twice. */
  readonly id: string;
  readonly network: NetworkId;
  readonly networkName: string;
  /** The node's name. */
  readonly node: string;
  readonly machine: MachineWord;
  /** Name of the interface on the node. */
  readonly interface: string;
  readonly mac: Mac;
  /** The name that the administrator gave the port. */
  readonly name?: string;
  /** The IP addresses of the guest, beside its link-local one. Absent from an older host0. */
  readonly addresses?: readonly (Ipv4 | Ipv6)[];
  /** The VM that the port is for. */
  readonly vm?: string;
  /** The guest is a router: the rules for guests do not hold for it. */
  readonly trusted?: true;
  /**
   * `wanted`: the node does not have the interface on the bridge of the network yet. `plugged`: it does. `bound`: an emulator has
   * the interface open, too, and it has carrier. `gone`: host0 has deleted the port.
   */
  readonly state: 'wanted' | 'plugged' | 'bound' | 'gone';
  /** Why the port is not plugged, or not bound. */
  readonly why?: string;
  /** As in `PortView`, as the node told last. */
  readonly refused?: readonly RefusedFrames[];
}

/** A kernel setting (sysctl) with a value. `name` is the path below /proc/sys: `net/ipv4/conf/eth0/rp_filter`. */
export interface Setting {
  readonly name: string;
  readonly value: string;
}

/** A finding of `mesh doctor`: something is wrong with the machine, or with the underlay. */
export interface DoctorFinding extends Finding {
  /** The check that found it: `udp-4789`. */
  readonly check: string;
  /** The evidence, for people: the message, and the code where the finding came from a process and not from a check. */
  readonly saw: string;
  /** What does not work, or may not work, because of this. */
  readonly matters: string;
  /** What `--fix` sets; absent where no change is safe without asking. */
  readonly fix?: readonly Setting[];
}

/** The answer to `GET /v1/doctor` and `POST /v1/doctor/fix`. */
export interface DoctorView {
  /** Names of the checks that were made, in order. */
  readonly checks: readonly string[];
  /** The worst finding first. */
  readonly findings: readonly DoctorFinding[];
  /** The settings that `--fix` changed, each with its value before. */
  readonly fixed: readonly (Setting & { readonly before: string })[];
}
