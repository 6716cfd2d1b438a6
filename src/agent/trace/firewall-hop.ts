/**
 * Whether Meshwork's own nft rules let the packets of a path through. They are read from nft's print of the active
 * table.
 */
import { type Ipv4, ipv4InSubnet } from '../../model/address/ipv4.ts';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import type { TraceHop } from '../../protocol/documents/trace.ts';
import { blockText, firewallBlocks, type Hook } from '../firewall/foreign-firewall.ts';
import type { Packet } from '../firewall/packet.ts';
import { TABLE } from '../items/ruleset.ts';
import { differs, fine, remedyOf } from './hop.ts';
import type { PathState } from './path-state.ts';

/** The item of Meshwork's table. */
const RULES = `nft:inet ${TABLE}`;

/**
 * The hops of other programs' firewalls that surely drop VXLAN packets at the hook, or change their source; none when all
 * let them pass.
 */
export function foreignHops({ node, foreign }: PathState, packet: Packet, hook: Hook): TraceHop[] {
  return firewallBlocks(packet, hook, foreign)
    .filter(({ certain }) => certain)
    .map((block) =>
      differs(
        node,
        'firewall',
        `${blockText(block)} ${block.does === 'drop' ? 'drops' : 'changes the source of'} VXLAN packets at the ${hook} hook`,
        'they pass',
        `On ${node}: \`${block.command}\`, and where its firewall keeps its rules.`,
      ),
    );
}

/** The hop on the receiver. @param from the source address of the sender's VXLAN packets */
export function receivingHop(pathState: PathState, from: Ipv4): TraceHop {
  const { node, role, network, firewall, segments } = pathState;
  const taken = `table inet ${TABLE} takes VXLAN of VNI ${network.type.vni} from ${from}`;
  if (firewall === undefined)
    return differs(node, 'firewall', `there is no table inet ${TABLE}`, taken, remedyOf(pathState, RULES));
  if (role === 'host0') {
    const open = segments.filter(({ device, subnet }) =>
      firewall.includes(`udp dport ${VXLAN_PORT} iifname "${device}" ip saddr ${subnet} accept`),
    );
    if (open.some(({ subnet }) => ipv4InSubnet(from, subnet))) return wholeHop(pathState, taken);
    const isOnSegment = segments.some(({ subnet }) => ipv4InSubnet(from, subnet));
    const remedy = isOnSegment
      ? remedyOf(pathState, RULES)
      : `${from} is on no segment of ${node}: \`mesh system status\` there lists the segments, and what to write to host0.conf for another.`;
    return differs(node, 'firewall', `no rule takes VXLAN from ${from}`, taken, remedy);
  }
  const name = `sources_${network.type.vni}`;
  if (elementsOf(firewall, name).includes(from)) return wholeHop(pathState, `${taken} (set ${name})`);
  return differs(
    node,
    'firewall',
    `${from} is not in the set ${name}: its packets are dropped`,
    taken,
    remedyOf(pathState, RULES),
  );
}

/** The hop on host0, which forwards VXLAN between the NICs of two segments. */
export function forwardingHop(pathState: PathState, devices: readonly [from: string, to: string]): TraceHop {
  const { node, firewall } = pathState;
  const passes = `table inet ${TABLE} lets VXLAN through from ${devices[0]} to ${devices[1]}`;
  if (firewall === undefined)
    return differs(node, 'firewall', `there is no table inet ${TABLE}`, passes, remedyOf(pathState, RULES));
  const allowed = elementsOf(firewall, 'segments');
  const missing = devices.filter((device) => !allowed.includes(device));
  if (missing.length === 0) return wholeHop(pathState, passes);
  return differs(
    node,
    'firewall',
    `the set segments lacks ${missing.join(' and ')}: VXLAN from ${devices[0]} to ${devices[1]} is dropped`,
    passes,
    remedyOf(pathState, RULES),
  );
}

/** The rules for the path are present. The hop still differs when another program has changed the table. */
function wholeHop(pathState: PathState, held: string): TraceHop {
  const { node, firewallDrift } = pathState;
  if (firewallDrift === '') return fine(node, 'firewall', held);
  return differs(
    node,
    'firewall',
    `${held}, but the table differs from the agent's: ${firewallDrift}`,
    held,
    remedyOf(pathState, RULES),
  );
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
