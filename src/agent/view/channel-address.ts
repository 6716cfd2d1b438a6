/** The address by which host0 knows the channel of another node: its address in a mesh. */
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import { isMesh } from '../../model/network/mesh.ts';
import type { Network } from '../../model/network/network.ts';
import type { Agent } from '../agent.ts';
import { givenNetworkViews } from './given-networks.ts';

/** The address of a node that holds `network`; undefined for one that is in no mesh of this node. */
export function channelAddress(agent: Agent, network: Network, { ipv6 }: Member): Ipv6 | undefined {
  if (isMesh(network)) return ipv6;
  const view = givenNetworkViews(agent).find(({ network: { id } }) => id === network.id);
  const peer = view?.peers?.find((candidate) => candidate.ipv6 === ipv6);
  if (peer === undefined) return undefined;
  for (const { network: mesh, members } of agent.source.attachments()) {
    const address = memberAddresses(mesh, peer.machine).ipv6;
    if (members.some((member) => member.ipv6 === address)) return address;
  }
  return undefined;
}
