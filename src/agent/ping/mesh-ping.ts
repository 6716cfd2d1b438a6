/** `mesh ping`: whether a member answers, how fast, by which path, and how large a packet comes back unfragmented. */

import { isLinkLocal } from '../../model/address/ipv6.ts';
import { vtepOfHolder } from '../../model/network/member.ts';
import { ipv6In } from '../../model/network/node-addresses.ts';
import type { PingRequest, PingResult } from '../../protocol/documents/views.ts';
import type { Agent } from '../agent.ts';
import { type AgentWithMembers, holdersOf } from '../view/agent-view.ts';
import { memberCalled } from '../view/called-member.ts';
import { proveMtu, type SizedEcho } from './path-mtu.ts';

const TIMEOUT_MS = 1_000;
const MAX_COUNT = 100;

/** The agent, as far as pings need it. */
export interface PingingAgent extends AgentWithMembers, Pick<Agent, 'networkCalled'> {
  readonly input: AgentWithMembers['input'] & Pick<Agent['input'], 'clock'>;
}

/**
 * Answers `POST /v1/ping`: sends 1 to 100 echoes (default: 3), one after the other, and then looks for the path MTU.
 * @throws MESH_NET_UNKNOWN, MESH_NODE_UNKNOWN, MESH_NOT_SUPPORTED
 */
export async function meshPing(agent: PingingAgent, request: PingRequest, echo: SizedEcho): Promise<PingResult> {
  const network = agent.networkCalled(request.network);
  const members = holdersOf(agent, network);
  const to = memberCalled(members, request.node, network);
  const own = ipv6In(network, agent.input.machine);
  const from = members.find(({ ipv6 }) => ipv6 === own) ?? to;
  const count = Math.min(Math.max(1, request.count ?? 3), MAX_COUNT);
  const rttMs: number[] = [];
  const device = isLinkLocal(to.ipv6) ? network.bridge.name : undefined;
  for (let sent = 0; sent < count; sent++) {
    if (sent > 0) await pause(agent, request.intervalMs ?? 200);
    const rtt = await echo(to.ipv6, TIMEOUT_MS, 56, device);
    if (rtt !== undefined) rttMs.push(rtt);
  }
  const provedBytes =
    rttMs.length === 0
      ? 0
      : await proveMtu(to.ipv6, network.mtuBytes, (address, timeoutMs, bytes) =>
          echo(address, timeoutMs, bytes, device),
        );
  const {
    type: { device: vxlan },
    bridge: { name: bridge },
  } = network;
  const path =
    from.ipv6 === to.ipv6
      ? [bridge]
      : [bridge, vxlan, vtepOfHolder(from) ?? '?', vtepOfHolder(to) ?? '?', vxlan, bridge];
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

function pause(agent: PingingAgent, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    agent.input.clock.after(Math.min(delayMs, 1_000), resolve);
  });
}
