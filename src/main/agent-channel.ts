/** Composes the way between an agent and host0's daemon: the channel of a node, or the agent's own socket on host0. */
import { connect } from 'node:net';
import type { Agent } from '../agent/agent.ts';
import type { AgentSocketInput } from '../agent/api/agent-socket.ts';
import type { NodeAssignments } from '../agent/assignment/node-assignments.ts';
import { addNodeChannelMetrics } from '../agent/channel/channel-metrics.ts';
import { byLikelihood } from '../agent/channel/management-candidates.ts';
import { NodeChannel } from '../agent/channel/node-channel.ts';
import type { NodeKey } from '../agent/channel/node-key.ts';
import { type NodeServerInput, nodeServer } from '../agent/channel/node-server.ts';
import type { ChannelMemberships } from '../agent/membership/channel-memberships.ts';
import type { Host0Seat } from '../agent/membership/host0-seat.ts';
import { boundConnection } from '../kernel/sockets/connection.ts';
import type { Registry } from '../metrics/registry.ts';

/** What the agent has before its way to host0. */
export interface Host0WayInput
  extends Pick<
    NodeServerInput,
    'captures' | 'paths' | 'instance' | 'conditions' | 'consoles' | 'screens' | 'images' | 'moves' | 'isos'
  > {
  readonly assignments: NodeAssignments;
  readonly memberships: ChannelMemberships;
  readonly agent: Agent;
  /** A node's key; undefined on host0. */
  readonly key: NodeKey | undefined;
  /** Whether this machine's own host0 leads; undefined where it is no host0, or the only one. */
  readonly seat: Host0Seat | undefined;
  readonly registry: Registry;
  /** The control socket of host0's daemon. */
  readonly controlSock: string;
}

/** The way between the agent and host0's daemon. */
export interface Host0Way {
  /** What the agent's socket has of it. */
  readonly socket: Pick<AgentSocketInput, 'channel' | 'node' | 'daemon'>;
  start(): void;
  close(): void;
}

/** Makes the way; `start` opens it. Findings of a channel become the agent's. */
export function makeHost0Way(input: Host0WayInput): Host0Way {
  const { agent, key, seat, registry, controlSock, memberships, ...parts } = input;
  const meshes = () => byLikelihood(agent.source.networks);
  const likeliest = () => meshes()[0]?.id;
  if (key === undefined) {
    parts.assignments.managedBy(likeliest);
    const started = Promise.withResolvers<void>();
    agent.ports.givenBy(() => true, started.promise);
    const node = nodeServer({ ...parts, agent, who: 'host0' });
    return { socket: { node, daemon: controlSock }, start: started.resolve, close: () => {} };
  }
  const server = nodeServer({
    ...parts,
    memberships,
    agent,
    who: 'host0',
    refused: (error) => channel.refused(error),
  });
  const channel: NodeChannel = new NodeChannel({
    ...agent.input,
    random: Math.random,
    meshes,
    isMember: () => agent.source.networks.some(({ id }) => agent.source.errorOf(id) === undefined),
    key: () => key.read(),
    connect: (target) =>
      seat?.channelSocket === undefined ? boundConnection(target) : connect({ path: seat.channelSocket }),
    handler: (request, response) => server.answer(request, response, undefined),
  });
  addNodeChannelMetrics(registry, channel);
  // The mesh of the last channel, else the likeliest one.
  parts.assignments.managedBy(() => channel.mesh ?? likeliest());
  agent.ports.givenBy(() => channel.view.state === 'standing' || channel.view.state === 'down', channel.hasLooked);
  agent.addHealthOf(key);
  agent.addHealthOf(channel);
  return { socket: { channel }, start: () => channel.start(), close: () => channel.close() };
}
