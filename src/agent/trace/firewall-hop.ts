/** Whether our own rules let the packets of a path in, by how nft prints the table that is in force. */
import { type Ipv4, ipv4InSubnet } from '../../model/address/ipv4.ts';
import { VXLAN_PORT } from '../../model/network/network.ts';
import type { TraceHop } from '../../protocol/documents/trace.ts';
import { TABLE } from '../items/ruleset.ts';
import { differs, fine } from './hop.ts';
import type { PathState } from './path-state.ts';

/** @param from where the sender's VXLAN packets come from */
export function receivingHop(pathState: PathState, from: Ipv4): TraceHop {
  const { node, role, network, firewall, segments } = pathState;
  const taken = `table inet ${TABLE} takes VXLAN of VNI ${network.fabric.vni} from ${from}`;
  if (firewall === undefined) return differs(node, 'firewall', `there is no table inet ${TABLE}`, taken);
  if (role === 'host0') {
    const open = segments.filter(({ subnet }) =>
      firewall.includes(`udp dport ${VXLAN_PORT} ip saddr ${subnet} accept`),
    );
    if (open.some(({ subnet }) => ipv4InSubnet(from, subnet))) return wholeHop(pathState, taken);
    return differs(node, 'firewall', `no rule takes VXLAN from ${from}`, taken);
  }
  const name = `sources_${network.fabric.vni}`;
  if (elementsOf(firewall, name).includes(from)) return wholeHop(pathState, `${taken} (set ${name})`);
  return differs(node, 'firewall', `${from} is not in the set ${name}: its packets are dropped`, taken);
}

/** host0 forwards VXLAN between its segments' ports. */
export function forwardingHop(pathState: PathState, devices: readonly [from: string, to: string]): TraceHop {
  const { node, firewall } = pathState;
  const passes = `table inet ${TABLE} lets VXLAN through from ${devices[0]} to ${devices[1]}`;
  if (firewall === undefined) return differs(node, 'firewall', `there is no table inet ${TABLE}`, passes);
  const allowed = elementsOf(firewall, 'segments');
  const missing = devices.filter((device) => !allowed.includes(device));
  if (missing.length === 0) return wholeHop(pathState, passes);
  return differs(
    node,
    'firewall',
    `${missing.join(' and ')} is not in the set segments: what comes is dropped`,
    passes,
  );
}

/** What the path needs is there; a rule of somebody else's may undo it. */
function wholeHop({ node, firewallDrift }: PathState, held: string): TraceHop {
  if (firewallDrift === '') return fine(node, 'firewall', held);
  return differs(node, 'firewall', `${held}, but the table is not ours alone: ${firewallDrift}`, held);
}

/** The elements of a set of plain values, without quotes. */
function elementsOf(table: string, set: string): string[] {
  const body = new RegExp(`\\bset ${set} \\{([^]*?)\\n\\t\\}`).exec(table)?.[1] ?? '';
  const elements = /elements = \{([^}]*)\}/.exec(body)?.[1] ?? '';
  return elements
    .split(',')
    .map((element) => element.trim().replaceAll('"', ''))
    .filter((element) => element !== '');
}
