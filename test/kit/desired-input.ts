/** What the planner of a node is given: host0 is at 10.11.0.1 on the node's own segment, and the node at 10.11.0.2. */
import type { DesiredInput } from '../../src/agent/desired/assignment.ts';
import { type Ipv4, parseIpv4 } from '../../src/model/address/ipv4.ts';
import { parseMachineId } from '../../src/model/machine.ts';

const MACHINE = parseMachineId('10eff964');

/** The input of a node with these attachments; other parts may be replaced. @param local the node's own address */
export function nodeInput(
  attachments: DesiredInput['attachments'],
  {
    local = parseIpv4('10.11.0.2'),
    machine = MACHINE,
    ports = [],
  }: { readonly local?: Ipv4 } & Partial<Pick<DesiredInput, 'machine' | 'ports'>> = {},
): DesiredInput {
  const ipv4 = parseIpv4('10.11.0.1');
  const host0 = { role: 'node', ipv4, local, onLink: true, segments: [], reachable: [] } as const;
  return { machine, routes: false, host0, attachments, ports };
}
