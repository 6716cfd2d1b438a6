/** What all networks of a node have in common for the planner. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { ForeignLink } from '../kernel/foreign-links.ts';
import type { DesiredInput, Host0Stance } from './assignment.ts';
import type { GuestAddresses } from './rules/routing/routed-here.ts';

/** The node, as the parts of its networks see it. */
export interface NodeContext {
  readonly machine: MachineWord;
  readonly role: Host0Stance['role'];
  /** host0 leads on this machine, where several can be host0. */
  readonly leads: boolean;
  /**
   * Source address of this node's VXLAN packets. host0 has no fixed source: it may have several segments, and uses on each
   * its address there.
   */
  readonly local: Ipv4 | undefined;
  /**
   * The underlay addresses of this node itself. A machine that is behind a port of this node polls from here: an entry
   * that sent its frames to this node's own address would make it unreachable.
   */
  readonly here: ReadonlySet<Ipv4>;
  /** Name of the link that leads to host0, or of host0's first segment: for networks that name no underlay device. */
  readonly underlay: string | undefined;
  /** The UDP ports of the VXLANs of this node, in order. */
  readonly vxlanPorts: readonly number[];
  /** The underlay addresses of host0, in order; none on host0. */
  readonly host0s: readonly Ipv4[];
}

/** The context that an input gives. */
export function nodeContext({
  machine,
  host0,
  document: { segments, attachments },
}: Pick<DesiredInput, 'machine' | 'host0' | 'document'>): NodeContext {
  // Only the rules of networks with addresses of this node ask for them: a join costs no walk through the networks.
  const isAsked = attachments.some(({ hostAddresses = [] }) => hostAddresses.length > 0);
  const vxlans = (isAsked ? attachments : []).flatMap(({ network: { type } }) =>
    type.kind === 'vxlan' ? [type.udpPort] : [],
  );
  const vxlanPorts = [...new Set(vxlans)].sort((a, b) => a - b);
  const leads = host0.role === 'node' && host0.leads !== undefined;
  const host0s = host0.role === 'host0' ? [] : [...new Set([host0.ipv4, ...(host0.all ?? [])])].sort();
  const common = { machine, role: host0.role, leads, vxlanPorts, host0s };
  if (host0.role === 'host0') {
    const here = new Set(segments.map(({ ipv4 }) => ipv4));
    return { ...common, local: undefined, here, underlay: segments[0]?.device };
  }
  const { local, device } = host0;
  return { ...common, local, here: new Set(local === undefined ? [] : [local]), underlay: device };
}

/** One network on the node. */
export interface NetworkContext {
  readonly node: NodeContext;
  /** The network's ports on this node. */
  readonly ports: DesiredInput['ports'];
  /** The device on the bridge behind which the network's servers on this node are; undefined where the node has none. */
  readonly servicePort?: string | undefined;
  /** The link that the network stands on (`foreignLinkOf`); undefined while there is none of that name. */
  readonly link: ForeignLink | undefined;
  /** The addresses of the guests that rules name; undefined where nothing is known of guests. */
  readonly guests?: GuestAddresses | undefined;
}
