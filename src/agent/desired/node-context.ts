/** What all networks of a node have in common for the planner. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { DesiredInput, Host0Stance } from './assignment.ts';

/** The node, as the parts of its networks see it. */
export interface NodeContext {
  readonly machine: MachineWord;
  readonly role: Host0Stance['role'];
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
}

/** The context that an input gives. */
export function nodeContext({ machine, host0 }: Pick<DesiredInput, 'machine' | 'host0'>): NodeContext {
  const local = host0.role === 'node' ? host0.local : undefined;
  const own = host0.role === 'host0' ? host0.segments.map(({ ipv4 }) => ipv4) : local === undefined ? [] : [local];
  return { machine, role: host0.role, local, here: new Set(own) };
}
