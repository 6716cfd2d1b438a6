/** Finds a member by the word that a user typed: its name, machine id or address. */
import { MeshError } from '../../model/error.ts';
import { isMachineId } from '../../model/machine.ts';
import { type Holder, vtepOfHolder } from '../../model/network/member.ts';
import type { Network } from '../../model/network/network.ts';
import { ipv6In } from '../../model/network/node-addresses.ts';

/**
 * The member that a user means by `name`.
 * @throws MESH_NODE_UNKNOWN, with the names of the members as the remedy; or for a name that several have
 */
export function memberCalled<M extends Holder>(members: readonly M[], name: string, network: Network): M {
  const found = findMember(members, name, network);
  if (found !== undefined) return found;
  throw new MeshError('MESH_NODE_UNKNOWN', `there is no member ${JSON.stringify(name)} in ${network.name}`, {
    object: name,
    remedy: `It has: ${members.map((member) => member.name).join(', ')}.`,
  });
}

/**
 * The member with this name, IPv6, IPv4 or Ethernet address, or machine id; undefined when there is none.
 * @throws MESH_NODE_UNKNOWN for a name that several members have
 */
export function findMember<M extends Holder>(members: readonly M[], name: string, network: Network): M | undefined {
  const named = members.filter((member) => member.name === name);
  if (named.length > 1) {
    throw new MeshError(
      'MESH_NODE_UNKNOWN',
      `${named.length} members of ${network.name} are called ${JSON.stringify(name)}`,
      {
        object: name,
        remedy: `Name one by its address: ${named.map(vtepOfHolder).join(', ')}.`,
      },
    );
  }
  const found =
    named[0] ??
    members.find(({ ipv6, ipv4, underlay, mac }) => [ipv6, ipv4, underlay, mac].some((own) => own === name));
  if (found !== undefined) return found;
  if (name !== 'host0' && !isMachineId(name)) return undefined;
  const ipv6 = ipv6In(network, name);
  return members.find((member) => member.ipv6 === ipv6);
}
