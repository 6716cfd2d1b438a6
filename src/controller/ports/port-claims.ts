/** What one port has to itself: its interface on its node, its name, and in its network its Ethernet and IP addresses. */
import { isIpv4 } from '../../model/address/ipv4.ts';
import { isUnicastMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { PlacedPort } from './port-record.ts';

/** A name that could be an id would lead to two ports. */
const LIKE_AN_ID = /^[0-9a-f]{1,8}$/;

/** Whether the addresses are those of one station. @throws MESH_USAGE */
export function mustBeUsable({ mac, addresses = [], name }: PlacedPort): void {
  if (!isUnicastMac(mac)) {
    throw new MeshError('MESH_USAGE', `${mac} is a group address`, {
      object: mac,
      rule: 'A port has the address of one station: the lowest bit of the first byte is 0.',
      remedy: 'Give an address such as 02:00:00:00:10:01, or none: host0 makes one of the id of the port.',
    });
  }
  const wrong = addresses.find((address) => !isOfStation(address));
  if (wrong !== undefined) {
    throw new MeshError('MESH_USAGE', `${wrong} is not the address of one station`, {
      object: wrong,
      rule: 'A guest sends from unicast addresses. Its link-local IPv6 address follows from its Ethernet address.',
      remedy: 'Give an address of a subnet of the network, such as 10.0.0.5 or fd00::5.',
    });
  }
  if (name !== undefined && LIKE_AN_ID.test(name)) {
    throw new MeshError('MESH_USAGE', `the name ${name} could be the id of a port`, {
      object: name,
      rule: 'A name of a port is not a hex number of up to 8 digits: commands take names and ids.',
      remedy: `Take another name, such as port-${name}.`,
    });
  }
}

/**
 * Whether a port can be beside another one.
 * @throws MESH_PORT_TAKEN, MESH_PORT_MAC_TWICE, MESH_PORT_ADDRESS_TWICE
 */
export function mustDiffer(port: PlacedPort, other: PlacedPort): void {
  if (other.machine === port.machine && other.link === port.link) throw taken(port, other);
  if (port.name !== undefined && other.name === port.name) throw nameTaken(port.name, other);
  if (other.network !== port.network) return;
  if (other.mac === port.mac) throw macTwice(port, calledPort(other));
  const twice = port.addresses?.find((address) => other.addresses?.includes(address));
  if (twice !== undefined) throw addressTwice(twice, other);
}

/** `port 1f`, or `port web (1f)` */
function calledPort({ id, name }: PlacedPort): string {
  return name === undefined ? `port ${id}` : `port ${name} (${id})`;
}

function isOfStation(address: string): boolean {
  if (isIpv4(address)) return !/^(?:0|127|22[4-9]|2[3-5]\d)\./.test(address);
  return !/^(?:ff|fe[89ab]|::1?$|::ffff:)/.test(address);
}

function taken({ link, node }: PlacedPort, other: PlacedPort): MeshError {
  return new MeshError('MESH_PORT_TAKEN', `${link} on ${node} is ${calledPort(other)} already`, {
    object: link,
    rule: 'An interface is one port.',
    remedy: `Name another interface with --device, or move or delete port ${other.id} first.`,
  });
}

function nameTaken(name: string, other: PlacedPort): MeshError {
  return new MeshError('MESH_PORT_TAKEN', `the name ${name} is that of port ${other.id} on ${other.node}`, {
    object: name,
    rule: 'Each port has a name of its own, or none.',
    remedy: `Take another name with --name, or delete port ${other.id} first.`,
  });
}

/** @param other what has the address, as the subject of a sentence */
export function macTwice({ mac, network }: PlacedPort, other: string): MeshError {
  return new MeshError('MESH_PORT_MAC_TWICE', `${other} of ${network} has the Ethernet address ${mac}`, {
    object: mac,
    rule: 'Each port of a network has an Ethernet address of its own.',
    remedy: 'Give another one with --mac, or none: host0 makes one of the id of the port.',
  });
}

function addressTwice(address: string, other: PlacedPort): MeshError {
  return new MeshError(
    'MESH_PORT_ADDRESS_TWICE',
    `${calledPort(other)} of ${other.network} has the address ${address}`,
    {
      object: address,
      rule: 'Each port of a network has IP addresses of its own.',
      remedy: `Give another one with --address, or delete port ${other.id} first.`,
    },
  );
}
