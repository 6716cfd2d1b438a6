/** What the agent tells of the networks that host0 has given to this node. */
import { isIpv6 } from '../../kernel/ip.ts';
import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, isLinkLocal } from '../../model/address/ipv6.ts';
import type { Network } from '../../model/network/network.ts';
import { ipv6In, nodeAddresses } from '../../model/network/node-addresses.ts';
import { hexNumber } from '../../model/network/number.ts';
import type { AttachmentPeers, AttachmentReason } from '../../protocol/documents/node-assignment.ts';
import type { GivenNetworkView, PeerView } from '../../protocol/documents/views.ts';
import type { Agent } from '../agent.ts';
import type { NodeAssignments } from '../assignment/node-assignments.ts';

/** The agent, as far as these views need it. */
export interface AgentWithGiven {
  readonly input: Pick<Agent['input'], 'machine'> & {
    readonly assignments?: Pick<NodeAssignments, 'networkStates'>;
  };
  readonly cache: Pick<KernelTables, 'linkNamed' | 'addressesOn'>;
  readonly ports: Pick<Agent['ports'], 'list'>;
  readonly networks: Pick<Agent['networks'], 'reasonsFor'>;
}

/** Each network that host0 has given: its state here, the other nodes that hold it, and the ports of this node. */
export function givenNetworkViews({ input, cache, ports, networks }: AgentWithGiven): GivenNetworkView[] {
  const given = input.assignments?.networkStates() ?? [];
  if (given.length === 0) return [];
  const linksOf = Map.groupBy(ports.list(), ({ network }) => network);
  return given.map(({ attachment: { network, peers }, state, vtep }) => {
    const links = [...(linksOf.get(network.id) ?? []), ...(linksOf.get(network.name) ?? [])];
    const named = peerViews(network, peers);
    return {
      network,
      state,
      self: {
        mac: nodeAddresses(network, input.machine).bridgeMac,
        ipv6: ipv6In(network, input.machine),
        ...(vtep !== undefined && isIpv6(vtep) && { underlay: vtep }),
        addresses: addressesOf(network, cache),
      },
      ...(named !== undefined && { peers: named }),
      ports: links.map((port) => port.interface),
      reasons: networks.reasonsFor(network.id),
    };
  });
}

/** What the bridge has in the kernel. Who asks after a network wants to reach it: link-local addresses need a name of a link besides. */
function addressesOf({ bridge }: Network, cache: AgentWithGiven['cache']): (Ipv4 | Ipv6)[] {
  const link = bridge && cache.linkNamed(bridge.name);
  if (link === undefined) return [];
  const addresses = [...cache.addressesOn(link.index)].map(({ address }) => address);
  return addresses.filter((address) => !isIpv6(address) || !isLinkLocal(address));
}

/** Undefined where host0 does not name the other nodes. */
function peerViews(network: Network, peers: AttachmentPeers): PeerView[] | undefined {
  if (peers.kind !== 'assigned') return undefined;
  return peers.peers.map(({ name, machine, underlay }) => {
    const { bridgeMac: mac } = nodeAddresses(network, machine);
    return { name, machine, underlay, mac, ipv6: ipv6In(network, machine) };
  });
}

/** Why a network is on this node, as the end of a sentence. @param ports the interfaces that are plugged into the network */
export function whyHere(reasons: readonly AttachmentReason[] = [], ports: readonly string[] = []): string {
  const texts: Readonly<Record<AttachmentReason, string>> = {
    file: 'a network file of this node has it',
    pinned: 'host0 wants this node to have it',
    port: `this node has ports in it${ports.length === 0 ? '' : `: ${ports.join(', ')}`}`,
    service: 'this node serves it',
  };
  return reasons.map((reason) => texts[reason]).join('; ') || 'no reason is known';
}

/** Why a given network is here, most general first; nothing for another network. */
export function givenReasons(agent: AgentWithGiven, name: string, member?: string): string[] {
  const view = givenNetworkViews(agent).find(({ network }) => network.name === name);
  if (view === undefined) return [];
  const { network, peers, ports, reasons } = view;
  const devices = [network.type.kind === 'vxlan' ? network.type.device : undefined, network.bridge?.name].filter(
    (device) => device !== undefined,
  );
  const lines = [
    `network ${name}: given by host0, number 0x${hexNumber(network.number)}; ${whyHere(reasons, ports)}`,
    `devices: ${devices.join(' in ')}, with addresses made of the number and the machine`,
  ];
  if (member !== undefined) lines.push(`node ${member}: holds the network, too; host0 names it`);
  else if (peers !== undefined) lines.push(`other nodes: ${peers.map((peer) => peer.name).join(', ') || 'none yet'}`);
  return lines;
}
