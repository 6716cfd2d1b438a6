/** Composes the channel of a node: the connection to host0, and what host0 asks on it. */
import type { Agent } from '../agent/agent.ts';
import { addNodeChannelMetrics } from '../agent/channel/channel-metrics.ts';
import { byLikelihood } from '../agent/channel/management-candidates.ts';
import { NodeChannel } from '../agent/channel/node-channel.ts';
import type { NodeKey } from '../agent/channel/node-key.ts';
import { type NodeRoutesInput, nodeHandler } from '../agent/channel/node-routes.ts';
import { boundConnection } from '../kernel/sockets/connection.ts';
import type { Registry } from '../metrics/registry.ts';

/** What the agent has before its channel. */
export interface AgentChannelInput
  extends Pick<NodeRoutesInput, 'captures' | 'paths' | 'assignments' | 'memberships' | 'instance'> {
  readonly agent: Agent;
  readonly key: NodeKey;
  readonly registry: Registry;
}

/** Makes the channel of a node. Its findings become the agent's; `start` opens it. */
export function makeAgentChannel({ agent, key, registry, ...parts }: AgentChannelInput): NodeChannel {
  const handler = nodeHandler({
    ...parts,
    agent,
    who: 'host0',
    refused: (error) => channel.refused(error),
  });
  const channel: NodeChannel = new NodeChannel({
    ...agent.input,
    random: Math.random,
    meshes: () => byLikelihood(agent.source.networks),
    isMember: () => agent.source.networks.some(({ id }) => agent.source.errorOf(id) === undefined),
    key: () => key.read(),
    connect: boundConnection,
    handler,
  });
  addNodeChannelMetrics(registry, channel);
  agent.addHealthOf(channel);
  return channel;
}
