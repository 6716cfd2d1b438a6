/** The planner's input: the node's document, and facts of the machine itself. */
import type { Ip } from '../../kernel/ip.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Member } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Segment, UnderlayNic } from '../../protocol/documents/assignment.ts';
import type { NodeAttachment, NodeDocument } from '../../protocol/documents/node-assignment.ts';
import type { ServiceSpace } from '../items/space/service-space.ts';
import type { AdministeredForwarding } from '../kernel/administered-forwarding.ts';
import type { ForeignLink } from '../kernel/foreign-links.ts';
import type { OnLinkSubnet } from '../kernel/shared-subnets.ts';
import type { NodeService } from './parts/service.ts';
import type { GuestAddresses } from './rules/routing/routed-here.ts';

/** How a node stands to host0: it is host0 itself, or it reaches host0 over the underlay. */
export type Host0Stance =
  /** This node is host0. Members may be on any segment, and host0 hears their packets before it knows them. */
  | { readonly role: 'host0'; readonly segments: readonly Segment[]; readonly nics: readonly UnderlayNic[] }
  | {
      readonly role: 'node';
      /** The one of host0's underlay addresses that this node uses. */
      readonly ipv4: Ipv4;
      /** All underlay addresses at which this node may find host0. Absent: that one alone. */
      readonly all?: readonly Ipv4[];
      /** Source address of this node's route to host0; undefined while there is no route. */
      readonly local?: Ipv4;
      /** Name of the link that this node reaches host0 by; undefined while there is no route. */
      readonly device?: string;
      /** Whether host0 is on a subnet of this node, so that host0 can be a gateway. */
      readonly onLink: boolean;
      /** The underlay subnets that host0 connects. */
      readonly segments: readonly Ipv4Cidr[];
      /** Underlay subnets that this node reaches without the agent's routes. */
      readonly reachable: readonly Ipv4Cidr[];
      /** Present while this machine's own host0 leads. */
      readonly leads?: { readonly segments: readonly Segment[]; readonly nics: readonly UnderlayNic[] };
    };

/** One mesh on one node, with its other members. */
export interface Attachment {
  readonly network: Mesh;
  /** The other members. On a node, host0 is always among them. */
  readonly members: readonly Member[];
  /**
   * On a node: whether host0 answers. While it does not, its neighbour entry is left out. The node then sends a
   * neighbour solicitation, from which host0 learns the node's address.
   */
  readonly host0Answers: boolean;
  /**
   * Remote VTEPs of entries that an earlier run of the agent left in the kernel. The rules accept VXLAN packets from
   * them until the member list is complete.
   */
  readonly keptSources?: readonly Ipv4[];
}

/** What the parts of a network need of its attachment. */
export type NetworkAttachment = Pick<NodeAttachment, 'network' | 'peers' | 'hostAddresses'>;

/** A mesh of a file, as the node's document has it. */
export function meshAttachment({ network, ...members }: Attachment): NodeAttachment {
  return { network, reasons: ['file'], peers: { kind: 'membership', ...members }, services: [] };
}

/** The guest of one port, as host0 has told. */
export interface PortGuest {
  /** The id of the port. */
  readonly portId: string;
  readonly mac: Mac;
  /** The agent makes the interface of the port: a tap. */
  readonly tap: boolean;
  /** Beside the link-local one of the Ethernet address. */
  readonly addresses: readonly Ip[];
  /** The guest is a router: it may send as others. */
  readonly trusted: boolean;
}

/** All that the desired items of a node depend on. Unchanged parts are the same objects from pass to pass. */
export interface DesiredInput {
  /** The administrator made this machine a router. */
  readonly routes: boolean;
  /** What the administrator made forward, link by link. Absent: nothing. */
  readonly administered?: AdministeredForwarding;
  /** Priority of our first routing rule (`firstRule`). Absent on a kernel that has no rules. */
  readonly firstRule?: number;
  /** Subnets that several NICs are on, by NIC (`sharedSubnets`). Absent: none. */
  readonly onLink?: readonly OnLinkSubnet[];
  readonly machine: MachineWord;
  readonly host0: Host0Stance;
  /** All that the node should have. Where an object of it comes from makes no difference to the planner. */
  readonly document: NodeDocument;
  /** The links that networks can stand on. A network that names one waits until it is there. Absent: none. */
  readonly foreignLinks?: readonly ForeignLink[];
  /** Foreign interfaces that belong on our bridges, or are being taken off: those of the document, and those that were seen there. */
  readonly ports: readonly {
    /** Name of the interface. */
    readonly link: string;
    readonly network: NetworkId;
    /** Plugged in with `mesh port plug`. */
    readonly plugged: boolean;
    /** The port is being taken off its bridge. It keeps its rules until then. */
    readonly unplugging: boolean;
    /** The guest of a port that host0 has placed. Absent: the guest is not known. */
    readonly guest?: PortGuest;
  }[];
  /** What the node runs for its networks and itself. Absent: nothing. */
  readonly services?: readonly NodeService[];
  /** The servers of networks, each in the space of its network. Absent: none. */
  readonly servers?: readonly NodeService[];
  /** Where the networks are served that this node serves. Absent: it serves none. */
  readonly spaces?: readonly ServiceSpace[];
  /** The addresses of guests in networks whose rules name guests. Absent: none is known. */
  readonly guests?: ReadonlyMap<NetworkId, GuestAddresses>;
  /** Interfaces that are ports of other programs' bridges. Absent: none. */
  readonly elsewhere?: readonly string[];
}
