/** Findings of host0 itself. */
import type { Mesh } from '../model/network/mesh.ts';
import type { NetworkId } from '../model/network/number.ts';
import { type Finding, findingOf } from '../protocol/documents/finding.ts';
import type { NetworkState } from '../protocol/documents/membership.ts';
import type { Host0State } from './host0-state.ts';

/** host0's own agent does not follow its assignment. */
export const AGENT_AWAY: Finding = {
  code: 'MESH_NOT_RUNNING',
  severity: 'error',
  object: 'agent',
  message: "host0's own agent is not connected: changes do not reach this machine's kernel",
  remedy: 'Start it with `mesh system start`, and see `mesh system logview` for why it ended.',
};

/** No NIC of host0 is a segment. */
export function noSegment({ joins, others }: Pick<Host0State, 'joins' | 'others'>): Finding {
  const common = { code: 'MESH_HOST0_UNREACHABLE', severity: 'error', object: 'segments' } as const;
  const uplinks = joins.filter(({ why }) => why === 'default route');
  const off = joins.find(({ why }) => why === 'off');
  if (uplinks.length === 0 && off !== undefined) {
    return {
      ...common,
      message: `no node can join: boot_mode in host0.conf is off for ${off.device} (${off.subnet}), and host0 has no other network`,
      remedy: `If your nodes are there, write \`segment_ports="${off.device}"\` in host0.conf, and restart host0.`,
    };
  }
  if (uplinks.length === 0 && others.length > 0) {
    return {
      ...common,
      message: `no node can join: no network card of host0 has an IPv4 address; ${others.join(' and ')} count only if host0.conf names them`,
      remedy: `If your nodes are there, write \`segment_ports="${others[0]?.split(' ')[0]}"\` in host0.conf, and restart host0.`,
    };
  }
  if (uplinks.length === 0) {
    return {
      ...common,
      message: 'no NIC of host0 has an IPv4 address: no node can reach host0',
      remedy: 'Give the NIC on the underlay an address and set it up, or name the NICs as segment_ports in host0.conf.',
    };
  }
  const nics = uplinks.map(({ device, subnet }) => `${device} (${subnet})`).join(' and ');
  return {
    ...common,
    message: `no node can join: ${nics} has the default route, so strangers may be there, and host0 has no other network`,
    remedy: `If your nodes are there, write \`segment_ports="${uplinks[0]?.device}"\` in host0.conf, and restart host0.`,
  };
}

/** The networks that failed on host0 itself, as host0's agent reported them. */
export function failedNetworks(
  networks: readonly Mesh[],
  states: Readonly<Record<NetworkId, NetworkState>>,
): readonly Finding[] {
  return networks.flatMap(({ id, name }) => {
    const state = states[id];
    return state?.phase === 'failed' ? [findingOf(state.error, { object: name })] : [];
  });
}

/** While this lasts, host0 gives no member list of the network. */
export function membersUnread({ name }: Mesh): Finding {
  return {
    code: 'MESH_HOST0_STARTING',
    severity: 'warning',
    object: name,
    message: `host0 has not read the members of ${name} yet`,
    remedy: 'host0 keeps trying; see `mesh events` if it takes more than a second.',
  };
}
