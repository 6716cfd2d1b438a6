/** What is not well on host0, each with what to do about it. */
import type { Network, NetworkId } from '../model/network/network.ts';
import { type Finding, findingOf } from '../protocol/documents/finding.ts';
import type { NetworkState } from '../protocol/documents/membership.ts';

export const AGENT_AWAY: Finding = {
  code: 'MESH_NOT_RUNNING',
  severity: 'error',
  object: 'agent',
  message: "host0's own agent is not connected: nothing that changes reaches this machine's kernel",
  remedy: 'Start it with `mesh agent run`, and see `mesh system logview` for why it ended.',
};

export const NO_SEGMENT: Finding = {
  code: 'MESH_HOST0_UNREACHABLE',
  severity: 'error',
  object: 'segments',
  message: 'no port of host0 has an IPv4 address: no node can reach it',
  remedy: 'Give the port on the underlay an address and set it up, or name the ports in host0.conf.',
};

/** What host0's agent says failed here. */
export function failedNetworks(
  networks: readonly Network[],
  states: Readonly<Record<NetworkId, NetworkState>>,
): readonly Finding[] {
  return networks.flatMap(({ id, name }) => {
    const state = states[id];
    return state?.phase === 'failed' ? [findingOf(state.error, { object: name })] : [];
  });
}

/** As long as it lasts, host0 gives no list of its members. */
export function membersUnread({ name }: Network): Finding {
  return {
    code: 'MESH_HOST0_STARTING',
    severity: 'warning',
    object: name,
    message: `host0 has not read the members of ${name} yet`,
    remedy: 'It goes on trying; see `mesh events` if it takes more than a second.',
  };
}
