/** Why host0 refuses a report or a request inside a mesh. */

import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { MemberRecord } from './member-record.ts';

/** MESH_MEMBER_FORGED: the asker's addresses do not belong to the identity that it claims. */
export function forged(network: Network, asker: Ipv6, why: string): MeshError {
  return new MeshError('MESH_MEMBER_FORGED', `${asker} is not who it says it is in ${network.name}: ${why}`, {
    operation: 'report to host0',
    object: asker,
    rule: 'A member has the addresses that follow from its machine id, and sends from them.',
    remedy:
      'Compare `mesh genid machine 8 --explain` on the node with what host0 booted it as, and name, vni and key of the network file with those on host0.',
  });
}

/** MESH_MEMBER_MOVING: host0's kernel does not know the asker's addresses yet. It does after the next packet of the node. */
export function moving(network: Network, asker: Ipv6, why: string): MeshError {
  return new MeshError('MESH_MEMBER_MOVING', `host0 cannot tell yet where ${asker} of ${network.name} is: ${why}`, {
    operation: 'report to host0',
    object: asker,
    rule: "host0 believes its own kernel's entries, which follow the node's packets.",
    remedy:
      'Report again at once. If that does not help, look for a device between the node and host0 that rewrites addresses (NAT).',
    retryable: true,
  });
}

/** MESH_MEMBER_NOT_ADMITTED: the mesh has as many members as host0 can handle. */
export function full(network: Network, limit: number): MeshError {
  return new MeshError('MESH_MEMBER_NOT_ADMITTED', `${network.name} has ${limit} members already`, {
    operation: 'report to host0',
    object: network.name,
    rule: `A mesh holds ${limit} members.`,
    remedy: 'Look in `mesh node list` for members that should not be there.',
  });
}

/**
 * MESH_MEMBER_DOUBLE: two machines have one identity. The newcomer is refused.
 * @param since when host0 heard `first` for the first time
 */
export function doubled(network: Network, first: MemberRecord, since: Date, newcomer: MemberRecord): MeshError {
  const identity = newcomer.machine ?? first.machine ?? newcomer.mac;
  return new MeshError(
    'MESH_MEMBER_DOUBLE',
    `two machines are ${identity} in ${network.name}: ${first.name} at ${first.ipv4}, heard since ${since.toISOString()}, and ${newcomer.name} at ${newcomer.ipv4}, which is refused`,
    {
      operation: 'report to host0',
      object: newcomer.name,
      rule: 'Every machine has an id of its own: all its addresses follow from it.',
      remedy:
        'Give one of the two another id, 8 hex digits in /etc/meshwork/machine or mesh.machine= on its kernel command line, and restart its agent.',
    },
  );
}
