/** Why host0 refuses a report or a request inside a mesh. */

import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { MEMBERS_MAX, MEMBERS_RESERVED } from '../../protocol/documents/membership.ts';
import type { MemberRecord } from './member-record.ts';
import type { VerifiedSource } from './source-verification.ts';

/**
 * MESH_MEMBER_FORGED: the asker's addresses do not belong to the identity that it claims.
 * @param source where its frames come from, as far as host0's kernel knows
 */
export function forged(network: Mesh, asker: Ipv6, why: string, source: VerifiedSource = {}): MeshError {
  const place = [source.mac, source.ipv4 && `at ${source.ipv4}`].filter((word) => word !== undefined).join(' ');
  const who = place === '' ? asker : `${asker} (${place})`;
  return new MeshError('MESH_MEMBER_FORGED', `${who} is not who it says it is in ${network.name}: ${why}`, {
    operation: 'report to host0',
    object: asker,
    rule: 'A member has the addresses that follow from its machine id, and sends from them.',
    remedy:
      'Compare `mesh genid machine 8 --explain` on the node with what host0 booted it as, and name, vni and key of the network file with those on host0.',
  });
}

/** MESH_MEMBER_MOVING: host0's kernel does not know the asker's addresses yet. It does after the next packet of the node. */
export function moving(network: Mesh, asker: Ipv6, why: string): MeshError {
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
export function full(network: Mesh, limit: number): MeshError {
  return new MeshError('MESH_MEMBER_NOT_ADMITTED', `${network.name} has ${limit} members already`, {
    operation: 'report to host0',
    object: network.name,
    rule: `A mesh holds ${MEMBERS_MAX} members; ${MEMBERS_RESERVED} of the places are for machines with a folder or a token.`,
    remedy:
      'Look in `mesh node list` for members that should not be there, and write admission="known" into host0.conf.',
  });
}

/**
 * MESH_MEMBER_FORGED: a guest that is plugged in on host0 reports like a machine.
 * @param imitated the member whose address it uses
 */
export function guestOfHost0(
  network: Mesh,
  asker: Ipv6,
  mac: Mac,
  port: string,
  imitated: MemberRecord | undefined,
): MeshError {
  const who = imitated === undefined ? '' : ` It imitates ${imitated.name}, which is at ${imitated.ipv4}.`;
  return new MeshError(
    'MESH_MEMBER_FORGED',
    `${asker} reports to ${network.name} from ${mac} at the port ${port} of host0 itself.${who}`,
    {
      operation: 'report to host0',
      object: imitated?.name ?? asker,
      rule: 'Members are machines, and come in through the VXLAN. A guest is no member.',
      remedy: `Look on host0 at what is behind ${port} (\`mesh port list\`), and unplug it if it should not be there.`,
    },
  );
}

/**
 * MESH_MEMBER_FORGED: frames with a member's addresses come from the underlay address of another member, so a guest there
 * sends them.
 */
export function imitated(network: Mesh, member: MemberRecord, place: MemberRecord): MeshError {
  return new MeshError(
    'MESH_MEMBER_FORGED',
    `frames of ${network.name} with the address ${member.mac} of ${member.name} come from ${place.ipv4}, where ${place.name} is; ${member.name} is at ${member.ipv4}`,
    {
      operation: 'report to host0',
      object: member.name,
      rule: 'There is one member at each underlay address. What else sends from there is a guest.',
      remedy: `Look for a guest of ${place.name} that imitates ${member.name}: \`mesh port list\` on ${place.name}.`,
    },
  );
}

/** MESH_MEMBER_NOT_ADMITTED: another member is at the underlay address of the newcomer. */
export function placeTaken(network: Mesh, newcomer: MemberRecord, holder: MemberRecord): MeshError {
  return new MeshError(
    'MESH_MEMBER_NOT_ADMITTED',
    `${newcomer.name} (${newcomer.mac}) reports to ${network.name} from ${newcomer.ipv4}, which is the address of ${holder.name}`,
    {
      operation: 'report to host0',
      object: holder.name,
      rule: 'There is one member at each underlay address. What else sends from there is a guest, and a guest is no member.',
      remedy: `If ${newcomer.name} is a guest of ${holder.name}, it needs no membership: stop its reports. If it is the machine, end the agent of ${holder.name}, or give one of the two another underlay address.`,
    },
  );
}

/** MESH_MEMBER_NOT_ADMITTED: more pollers than host0 takes whose addresses follow from no machine id. */
export function pollersFull(network: Mesh, limit: number): MeshError {
  return new MeshError(
    'MESH_MEMBER_NOT_ADMITTED',
    `${network.name} has ${limit} members without a machine id already`,
    {
      operation: 'report to host0',
      object: network.name,
      rule: `A mesh holds ${limit} members that poll without a machine id.`,
      remedy: 'Ask with `&machine=ID`; `mesh genid machine 8` prints the id.',
    },
  );
}

/** MESH_MEMBER_FORGED: what only the member's own agent may ask is asked by another program. @param what a verb: `leave` */
export function notItsAgent(network: Mesh, { name, ipv4 }: MemberRecord, what: string): MeshError {
  return new MeshError(
    'MESH_MEMBER_FORGED',
    `a program at ${ipv4} that is not the agent of ${name} asks ${network.name} to ${what}`,
    {
      operation: 'report to host0',
      object: name,
      rule: "What a member's agent asks carries the instance that its reports carry.",
      remedy: `Look on ${name} for a program that talks to host0. After an upgrade, restart the agent there.`,
    },
  );
}

/**
 * MESH_MEMBER_DOUBLE: a second instance reports from the place of a member that is alive. A machine that has just rebooted
 * looks like this until its report from before is nine seconds old.
 * @param lasting whether the member has been heard since the second instance appeared
 */
export function secondInstance(network: Mesh, { name, ipv4 }: MemberRecord, lasting: boolean): MeshError {
  return new MeshError('MESH_MEMBER_DOUBLE', `two programs report to ${network.name} as ${name} from ${ipv4}`, {
    operation: 'report to host0',
    object: name,
    rule: 'A member has one agent. The second one is refused until the first has been silent for nine seconds.',
    remedy: `Look on ${name} for a second agent, or another program that talks to host0.`,
    retryable: !lasting,
  });
}

/**
 * MESH_MEMBER_DOUBLE: two machines have one identity, or one imitates the other. The newcomer is refused.
 * @param since when host0 heard `first` for the first time
 */
export function doubled(network: Mesh, first: MemberRecord, since: Date, newcomer: MemberRecord): MeshError {
  const identity = newcomer.machine ?? first.machine ?? newcomer.mac;
  return new MeshError(
    'MESH_MEMBER_DOUBLE',
    `two machines are ${identity} in ${network.name}: ${first.name} at ${first.ipv4}, heard since ${since.toISOString()}, and ${newcomer.name} at ${newcomer.ipv4}, which is refused`,
    {
      operation: 'report to host0',
      object: newcomer.name,
      rule: 'Every machine has an id of its own: all its addresses follow from it.',
      remedy: `If both machines are yours, give one of the two another id, 8 hex digits in /etc/meshwork/machine or mesh.machine= on its kernel command line, and restart its agent. If not, the one at ${newcomer.ipv4} imitates ${first.name} with its Ethernet address ${newcomer.mac}.`,
    },
  );
}

/** MESH_MEMBER_DOUBLE: a poller asks for the place of a machine whose agent reported in the last day. */
export function notByPoller(network: Mesh, agent: MemberRecord, poller: MemberRecord): MeshError {
  return new MeshError(
    'MESH_MEMBER_DOUBLE',
    `${poller.ipv4} polls ${network.name} as ${agent.name} (${poller.mac}), whose agent reported from ${agent.ipv4}`,
    {
      operation: 'report to host0',
      object: agent.name,
      rule: 'For a day, a poller does not take the place of a machine that had an agent.',
      remedy: `Start the agent of ${agent.name}. If ${agent.name} is not at ${poller.ipv4}, another machine imitates it there.`,
    },
  );
}

/** MESH_MEMBER_DOUBLE: an agent without a token reports as a machine whose agent had one in the last day, from another place. */
export function notWithoutToken(network: Mesh, agent: MemberRecord, newcomer: MemberRecord): MeshError {
  return new MeshError(
    'MESH_MEMBER_DOUBLE',
    `${newcomer.ipv4} reports to ${network.name} as ${agent.name} (${newcomer.mac}) without the key or token that ${agent.name} showed at ${agent.ipv4}`,
    {
      operation: 'report to host0',
      object: agent.name,
      rule: 'For a day, a machine that showed its key or token is not replaced from another address by one without it.',
      remedy: `Boot ${agent.name} from this host0, or restart host0, which then forgets where absent members were. If ${agent.name} is not at ${newcomer.ipv4}, another machine imitates it there.`,
    },
  );
}
