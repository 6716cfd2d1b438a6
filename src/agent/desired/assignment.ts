/** What the planner is given: the networks that a node takes part in, and how the node stands to host0. */
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Member } from '../../model/network/member.ts';
import type { Network, NetworkId } from '../../model/network/network.ts';
import type { Segment, UnderlayNic } from '../../protocol/documents/assignment.ts';

/** How a node stands to host0. */
export type Host0Stance =
  /** This is host0: members may be anywhere, and are heard before they are known. */
  | { readonly role: 'host0'; readonly segments: readonly Segment[]; readonly nics: readonly UnderlayNic[] }
  | {
      readonly role: 'node';
      /** host0's underlay address on this node's side. */
      readonly ipv4: Ipv4;
      /** Source of this node's route to it; undefined while there is no route. */
      readonly local?: Ipv4;
      /** Whether host0 is a neighbour on the underlay, so that it can be a gateway. */
      readonly onLink: boolean;
      /** The underlay subnets that host0 connects. */
      readonly segments: readonly Ipv4Cidr[];
      /** Underlay subnets that this node reaches without us. */
      readonly reachable: readonly Ipv4Cidr[];
    };

export interface Attachment {
  readonly network: Network;
  /** The other members; on a node, host0 is among them from the first moment on. */
  readonly members: readonly Member[];
  /** On a node: whether host0 answers. While it does not, its neighbour entry is left out, so that this node asks for it aloud and host0 gets to know it. */
  readonly host0Answers: boolean;
  /** Where entries that an earlier life of this agent left may still lead: VXLAN packets from there are taken until it is known who lives there. */
  readonly keptSources?: readonly Ipv4[];
}

export interface DesiredInput {
  /** The administrator made this machine a router. */
  readonly routes: boolean;
  readonly machine: MachineWord;
  readonly host0: Host0Stance;
  readonly attachments: readonly Attachment[];
  /** Foreign interfaces that belong on our bridges, and which of them were plugged in by our own command. */
  readonly ports: readonly {
    readonly link: string;
    readonly network: NetworkId;
    readonly plugged: boolean;
    /** The port is being taken off. It has its rules until it is off, and no place on the bridge any more. */
    readonly unplugging: boolean;
  }[];
}
