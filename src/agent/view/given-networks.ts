/** What the agent tells of the networks that host0 has given to this node. */
import type { Network } from '../../model/network/network.ts';
import { ipv6In, nodeAddresses } from '../../model/network/node-addresses.ts';
import type { AttachmentPeers } from '../../protocol/documents/node-assignment.ts';
import type { GivenNetworkView, PeerView } from '../../protocol/documents/views.ts';
import type { Agent } from '../agent.ts';

/** The agent, as far as these views need it. */
export interface AgentWithGiven {
  readonly input: Pick<Agent['input'], 'machine' | 'assignments'>;
  readonly ports: Pick<Agent['ports'], 'list'>;
}

/** Each network that host0 has given: its state here, the other nodes that hold it, and the ports of this node. */
export function givenNetworkViews({ input, ports }: AgentWithGiven): GivenNetworkView[] {
  const given = input.assignments?.networkStates() ?? [];
  if (given.length === 0) return [];
  const linksOf = Map.groupBy(ports.list(), ({ network }) => network);
  return given.map(({ attachment: { network, peers }, state }) => {
    const links = [...(linksOf.get(network.id) ?? []), ...(linksOf.get(network.name) ?? [])];
    const named = peerViews(network, peers);
    return {
      network,
      state,
      self: { mac: nodeAddresses(network, input.machine).bridgeMac, ipv6: ipv6In(network, input.machine) },
      ...(named !== undefined && { peers: named }),
      ports: links.map((port) => port.interface),
    };
  });
}

/** Undefined where host0 does not name the other nodes. */
function peerViews(network: Network, peers: AttachmentPeers): PeerView[] | undefined {
  if (peers.kind !== 'assigned') return undefined;
  return peers.peers.map(({ name, machine, underlay }) => {
    const { bridgeMac: mac } = nodeAddresses(network, machine);
    return { name, machine, underlay, mac, ipv6: ipv6In(network, machine) };
  });
}
