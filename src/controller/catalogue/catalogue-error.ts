/** The refusals of the catalogue. */
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { hexNumber } from '../../model/network/number.ts';
import type { PortUse } from './network-use.ts';
import { wellKnownGroup } from './well-known-groups.ts';

/** MESH_NET_UNKNOWN: no network has this name or number. */
export function unknownNetwork(wanted: string, networks: readonly Network[]): MeshError {
  const names = networks.map(({ name }) => name);
  return new MeshError('MESH_NET_UNKNOWN', `there is no network ${JSON.stringify(wanted)}`, {
    object: wanted,
    remedy: names.length === 0 ? 'Make one: `mesh network create NAME`' : `host0 has ${names.join(', ')}`,
  });
}

/** MESH_NET_SOURCE: the network comes from a file, which alone changes it. */
export function notOfStore({ name, source }: Network): MeshError {
  const [where, remedy] =
    source === 'file'
      ? ['its network file', 'Change the file on host0 and on the nodes']
      : [source, `Change the network in ${source}`];
  return new MeshError('MESH_NET_SOURCE', `network ${name} is defined by ${where}`, {
    object: name,
    rule: 'A network is changed only where it is defined.',
    remedy,
  });
}

/** MESH_NET_IN_USE: ports are plugged in. */
export function inUse({ name }: Network, ports: readonly PortUse[]): MeshError {
  const list = ports.map((port) => `${port.interface} on ${port.node}`).join(', ');
  return new MeshError('MESH_NET_IN_USE', `network ${name} has ${ports.length === 1 ? 'a port' : 'ports'}: ${list}`, {
    object: name,
    rule: 'A network with ports is not deleted.',
    remedy: `Unplug them (\`mesh port unplug INTERFACE\` on the node), or let the deletion do that: \`mesh network delete ${name} --force\``,
  });
}

/** MESH_NET_ACTIVE: a network is made active once. */
export function isActiveAlready({ name }: Network): MeshError {
  return new MeshError('MESH_NET_ACTIVE', `network ${name} is active already`, {
    object: name,
    rule: 'A network of a name is made once.',
    remedy: `Stop it first (\`mesh network stop ${name}\`), or take another name`,
  });
}

/** MESH_NET_INACTIVE: the network does not run. */
export function isNotActive({ name }: Network): MeshError {
  return new MeshError('MESH_NET_INACTIVE', `network ${name} is not active`, {
    object: name,
    rule: 'Only a network that runs has a live form.',
    remedy: `Start it (\`mesh network start ${name}\`), or change its definition`,
  });
}

/** MESH_NET_TRANSIENT: the network has no definition. @param deed what cannot be done */
export function isTransient({ name }: Network, deed: string): MeshError {
  return new MeshError('MESH_NET_TRANSIENT', `network ${name} is transient, and cannot be ${deed}`, {
    object: name,
    rule: 'A transient network has no definition: it goes when it is stopped.',
    remedy: `Define it first: \`mesh network define FILE\` with the document of \`mesh network show ${name} --yaml\``,
  });
}

/** MESH_NET_UUID_TWICE: a UUID means one network, and a network has one UUID. @param uuid that of `holder` */
export function uuidTwice(name: string, uuid: string, holder: Network): MeshError {
  const message =
    name === holder.name
      ? `network ${name} exists already, with UUID ${uuid}`
      : `UUID ${uuid} of network ${name} is that of ${holder.name}`;
  return new MeshError('MESH_NET_UUID_TWICE', message, {
    object: name,
    rule: 'A network keeps its UUID, and no other network has the same.',
    remedy: name === holder.name ? `Write this UUID into the document, or take another name` : 'Leave the UUID out',
  });
}

/** MESH_USAGE: the number of a network is its key, and stays. */
export function numberStays({ name, number }: Network): MeshError {
  return new MeshError('MESH_USAGE', `network ${name} has the number 0x${hexNumber(number)}, which cannot be changed`, {
    object: name,
    rule: 'The number is what a network is known by on all nodes.',
    remedy: 'Make another network with the wanted number, and move the ports there',
  });
}

/** MESH_NET_NUMBER_TWICE: another network has the number that was given by hand. */
export function numberTaken(name: string, other: Network): MeshError {
  const number = hexNumber(other.number);
  return new MeshError(
    'MESH_NET_NUMBER_TWICE',
    `network ${name} is refused: number 0x${number} is that of ${other.name}`,
    {
      object: name,
      rule: 'Each network has a number of its own; the older network stays.',
      remedy: 'Give another number, or none: host0 allocates one',
    },
  );
}

/** MESH_NET_NAME_INVALID: commands take a network by its number or device, too, and would take this name for such a word. */
export function nameMisleads(name: string, meant: Network | undefined): MeshError {
  const what = meant === undefined ? 'a number' : `a device or the identifier of ${meant.name}`;
  return new MeshError('MESH_NET_NAME_INVALID', `${name} is ${what}, and no name for a network`, {
    object: name,
    rule: 'Commands find a network by its name, its number, its identifier and its devices.',
    remedy: 'Give it a name that is none of these of another network',
  });
}

/** MESH_USAGE: not the number of a network. */
export function notANumber(wanted: unknown): MeshError {
  return new MeshError('MESH_USAGE', `${JSON.stringify(wanted)} is not the number of a network`, {
    rule: 'A number is between 1 and 16777215 (0xffffff).',
    remedy: 'Give such a number, or none: host0 allocates one',
  });
}

/** MESH_NET_UNKNOWN: the network is as good as gone. */
export function beingDeleted({ name }: Network): MeshError {
  return new MeshError('MESH_NET_UNKNOWN', `network ${name} is being deleted`, {
    object: name,
    rule: 'A network that was deleted stays in the list until no node has it.',
    remedy: 'Make another network: `mesh network create NAME`',
  });
}

/** MESH_HOST0_STARTING: no network of the store may be changed before all are known. */
export function notRead(): MeshError {
  return new MeshError('MESH_HOST0_STARTING', 'host0 has not read its networks yet', {
    retryable: true,
    remedy: 'Ask again in a second.',
  });
}

/** MESH_NET_GROUP for a multicast network whose group belongs to others; undefined for all other networks. */
export function groupWarning({ name, number, peers }: Network): MeshError | undefined {
  if (peers?.kind !== 'multicast') return undefined;
  const service = wellKnownGroup(number);
  if (service === undefined) return undefined;
  return new MeshError('MESH_NET_GROUP', `network ${name} uses ${peers.group}, the group of ${service}`, {
    object: name,
    rule: 'Groups below ff05::1000 and from ff05::1:0 to ff05::1:ffff are those of well-known services.',
    remedy: 'Give another number, or none: host0 allocates one from 0x1000 on',
  });
}
