/** `mesh ping`: whether a member answers, how fast, by which path, and how large a packet comes back unfragmented. */
import { memberAddresses } from '../../model/network/member.ts';
import type { PingRequest, PingResult } from '../../protocol/documents/views.ts';
import type { Agent } from '../agent.ts';
import { membersOf } from '../view/agent-view.ts';
import { memberCalled } from '../view/called-member.ts';
import { proveMtu, type SizedEcho } from './path-mtu.ts';

const TIMEOUT_MS = 1_000;
const MAX_COUNT = 100;

/**
 * Answers `POST /v1/ping`: sends 1 to 100 echoes (default: 3), one after the other, and then looks for the path MTU.
 * @throws MESH_NET_UNKNOWN, MESH_NODE_UNKNOWN
 */
export async function meshPing(agent: Agent, request: PingRequest, echo: SizedEcho): Promise<PingResult> {
  const network = agent.networkCalled(request.network);
  const members = membersOf(agent, network);
  const to = memberCalled(members, request.node, network);
  const own = memberAddresses(network, agent.input.machine).ipv6;
  const from = members.find(({ ipv6 }) => ipv6 === own) ?? to;
  const count = Math.min(Math.max(1, request.count ?? 3), MAX_COUNT);
  const rttMs: number[] = [];
  for (let sent = 0; sent < count; sent++) {
    if (sent > 0) await pause(agent, request.intervalMs ?? 200);
    const rtt = await echo(to.ipv6, TIMEOUT_MS, 56);
    if (rtt !== undefined) rttMs.push(rtt);
  }
  const provedBytes = rttMs.length === 0 ? 0 : await proveMtu(to.ipv6, network.mtuBytes, echo);
  const {
    type: { device: vxlan },
    bridge: { name: bridge },
  } = network;
  const path = from.ipv6 === to.ipv6 ? [bridge] : [bridge, vxlan, from.ipv4, to.ipv4, vxlan, bridge];
  return {
    network: network.name,
    from,
    to,
    path,
    sent: count,
    received: rttMs.length,
    rttMs,
    mtu: { provedBytes, promisedBytes: network.mtuBytes },
  };
}

function pause(agent: Agent, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    agent.input.clock.after(Math.min(delayMs, 1_000), resolve);
  });
}
