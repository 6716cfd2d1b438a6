/** The member that somebody means: by name, machine id or address. */
import { MeshError } from '../../model/error.ts';
import { isMachineId } from '../../model/machine.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';

/** @throws MESH_NODE_UNKNOWN */
export function memberCalled(members: readonly Member[], name: string, network: Network): Member {
  const found = findMember(members, name, network);
  if (found !== undefined) return found;
  throw new MeshError('MESH_NODE_UNKNOWN', `there is no member ${JSON.stringify(name)} in ${network.name}`, {
    object: name,
    remedy: `It has: ${members.map((member) => member.name).join(', ')}.`,
  });
}

export function findMember(members: readonly Member[], name: string, network: Network): Member | undefined {
  const named = members.find(({ name: own, ipv6, ipv4, mac }) => [own, ipv6, ipv4, mac].includes(name));
  if (named !== undefined) return named;
  if (name !== 'host0' && !isMachineId(name)) return undefined;
  const { ipv6 } = memberAddresses(network, name);
  return members.find((member) => member.ipv6 === ipv6);
}
