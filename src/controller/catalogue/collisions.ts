/** Networks that cannot be side by side: each has a number, a name and devices of its own. */
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { hexNumber } from '../../model/network/number.ts';

/** Why `newcomer` cannot be beside the others; undefined if it can. */
export function collisionOf(newcomer: Network, others: Iterable<Network>): MeshError | undefined {
  for (const other of others) {
    if (other.id !== newcomer.id) {
      const error = collision(newcomer, other);
      if (error !== undefined) return error;
    }
  }
  return undefined;
}

function collision(newcomer: Network, other: Network): MeshError | undefined {
  const { name, number } = newcomer;
  const theirs = `${other.name} (number 0x${hexNumber(other.number)}, from ${other.source})`;
  if (number === other.number) {
    return refusal('MESH_NET_NUMBER_TWICE', name, `number 0x${hexNumber(number)} is that of ${theirs}`, 'number');
  }
  if (name === other.name) return refusal('MESH_NET_NAME_TWICE', name, `the name is that of ${theirs}`, 'name');
  const devices = devicesOf(other);
  const device = devicesOf(newcomer).find((candidate) => devices.includes(candidate));
  if (device !== undefined) {
    return refusal('MESH_NET_DEVICE_TWICE', name, `device ${device} is that of ${theirs}`, 'device');
  }
  const [vxlan, taken] = [newcomer.type, other.type];
  if (vxlan.kind === 'vxlan' && taken.kind === 'vxlan' && vxlan.vni === taken.vni && vxlan.udpPort === taken.udpPort) {
    return refusal(
      'MESH_NET_VNI_TWICE',
      name,
      `VNI ${vxlan.vni} at UDP port ${vxlan.udpPort} is that of ${theirs}`,
      'VNI',
    );
  }
  return undefined;
}

/** The names of the devices that a network has on its nodes. */
export function devicesOf({ bridge, type }: Network): readonly string[] {
  return [bridge?.name, type.kind === 'vxlan' ? type.device : undefined].flatMap((device) => device ?? []);
}

function refusal(
  code: 'MESH_NET_NUMBER_TWICE' | 'MESH_NET_NAME_TWICE' | 'MESH_NET_DEVICE_TWICE' | 'MESH_NET_VNI_TWICE',
  name: string,
  why: string,
  part: string,
): MeshError {
  return new MeshError(code, `network ${name} is refused: ${why}`, {
    object: name,
    rule: `Each network has a ${part} of its own; the older network stays.`,
    remedy: `Give the network another ${part}`,
  });
}
