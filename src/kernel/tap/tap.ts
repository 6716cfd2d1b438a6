/**
 * Taps: network devices whose frames a process reads and writes, as an emulator does for its guest. rtnetlink makes none; they
 * come from an ioctl of `/dev/net/tun` (linux/if_tun.h). Their headers are those of virtio-net (IFF_VNET_HDR), so that
 * guests keep their offloads.
 */
import { closeSync, openSync } from 'node:fs';
import { type Mac, macToBytes } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import { capabilityRemedy } from '../capability.ts';
import { failed, libc } from '../libc.ts';
import { inNetns } from '../netns.ts';

const TUN = '/dev/net/tun';
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNGETIFF = 0x800454d2;
const SIOCSIFHWADDR = 0x8924;
const ARPHRD_ETHER = 1;
const IFF_TUN = 0x0001;
const IFF_TAP = 0x0002;
const IFF_PERSIST = 0x0800;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** A device of this name must not exist yet. */
const IFF_TUN_EXCL = 0x8000;
const FLAGS = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
/** Bytes of `struct ifreq`, in which the flags follow the name. */
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;

/** Where a tap is. */
export interface TapPlace {
  /** Path of the network namespace; the process's own when absent. */
  readonly netns?: string;
}

/**
 * Makes a tap that stays until it is deleted. It is down.
 * @param mac its Ethernet address, which it has from the moment on in which it stays: its maker, killed right then, finds it again.
 * Absent: the kernel makes one up
 * @throws MESH_KERNEL_FOREIGN_DEVICE when a device of this name exists
 * @throws MESH_KERNEL_REFUSED
 */
export function makeTap(name: string, { mac, ...place }: TapPlace & { readonly mac?: Mac } = {}): void {
  const fd = attach(name, FLAGS | IFF_TUN_EXCL, 'make the tap', place);
  try {
    if (mac !== undefined) setMac(fd, name, mac);
    // The kernel takes the value of the argument itself, not what it points to.
    if (libc.ioctlValue(fd, TUNSETPERSIST, 1) < 0) throw failed('keep the tap', name);
  } finally {
    closeSync(fd);
  }
}

/**
 * Makes a tun device that stays until it is deleted: a process reads and writes its packets, without Ethernet headers.
 * @throws MESH_KERNEL_FOREIGN_DEVICE when a device of this name exists
 * @throws MESH_KERNEL_REFUSED
 */
export function makeTun(name: string, place: TapPlace = {}): void {
  const fd = attach(name, IFF_TUN | IFF_TUN_EXCL, 'make the tun', place);
  try {
    if (libc.ioctlValue(fd, TUNSETPERSIST, 1) < 0) throw failed('keep the tun', name);
  } finally {
    closeSync(fd);
  }
}

/**
 * Opens a tap that exists: the tap has carrier until the descriptor, and all that processes inherited of it, are closed. The
 * descriptor is close-on-exec; a child gets it by `stdio` of `spawn`. The holder needs no capability.
 * @returns the file descriptor
 * @throws MESH_KERNEL_REFUSED (EBUSY: a process has the tap open, or the device is no tap)
 * @throws MESH_PORT_UNKNOWN when there is no such tap
 */
export function openTap(name: string, place: TapPlace = {}): number {
  const fd = attach(name, FLAGS, 'open the tap', place);
  try {
    // The kernel has made a new device where there was none. Such a device goes with its descriptor.
    if ((flagsOf(fd, name) & IFF_PERSIST) === 0) throw noTap(name);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Deletes a tap that no process has open.
 * @throws MESH_KERNEL_REFUSED (EBUSY: a process has the tap open), MESH_PORT_UNKNOWN
 */
export function removeTap(name: string, place: TapPlace = {}): void {
  const fd = openTap(name, place);
  try {
    if (libc.ioctlValue(fd, TUNSETPERSIST, 0) < 0) throw failed('delete the tap', name);
  } finally {
    closeSync(fd);
  }
}

/** Opens the device file, and ties the descriptor to the device of this name. */
function attach(name: string, flags: number, operation: string, { netns }: TapPlace): number {
  // The namespace counts both when the file is opened and when the device is named.
  const attachHere = (): number => {
    const fd = openTun(operation, name);
    const request = Buffer.alloc(IFREQ_BYTES);
    request.write(name, 0, IFNAMSIZ - 1, 'latin1');
    request.writeUInt16LE(flags, IFNAMSIZ);
    if (libc.ioctl(fd, TUNSETIFF, request) >= 0) return fd;
    const error = failed(operation, name, capabilityRemedy('CAP_NET_ADMIN'));
    closeSync(fd);
    throw (flags & IFF_TUN_EXCL) !== 0 && isBusy(error) ? nameTaken(name) : error;
  };
  return netns === undefined ? attachHere() : inNetns(netns, attachHere);
}

function openTun(operation: string, name: string): number {
  try {
    return openSync(TUN, 'r+');
  } catch (cause) {
    throw new MeshError('MESH_KERNEL_REFUSED', `${operation} ${name}: ${TUN} cannot be opened`, {
      operation,
      object: name,
      cause,
      remedy: 'Load the module: `modprobe tun`. In a container, let it have the device /dev/net/tun.',
    });
  }
}

function setMac(fd: number, name: string, mac: Mac): void {
  const request = Buffer.alloc(IFREQ_BYTES);
  request.writeUInt16LE(ARPHRD_ETHER, IFNAMSIZ);
  request.set(macToBytes(mac), IFNAMSIZ + 2);
  if (libc.ioctl(fd, SIOCSIFHWADDR, request) < 0) throw failed('set the Ethernet address of', name);
}

function flagsOf(fd: number, name: string): number {
  const request = Buffer.alloc(IFREQ_BYTES);
  if (libc.ioctl(fd, TUNGETIFF, request) < 0) throw failed('read the flags of', name);
  return request.readUInt16LE(IFNAMSIZ);
}

function isBusy({ cause }: MeshError): boolean {
  return typeof cause === 'object' && cause !== null && 'name' in cause && cause.name === 'EBUSY';
}

function nameTaken(name: string): MeshError {
  return new MeshError('MESH_KERNEL_FOREIGN_DEVICE', `a device named ${name} exists and is not Meshwork's`, {
    object: name,
    rule: 'The tap of a guest has the name that its port gives, and Meshwork takes over no device of another program.',
    remedy: `Remove it (\`ip link del ${name}\`) or give it another name (\`ip link set ${name} name NAME\`).`,
    retryable: true,
  });
}

function noTap(name: string): MeshError {
  return new MeshError('MESH_PORT_UNKNOWN', `there is no tap ${name}`, {
    object: name,
    rule: 'A guest is given a tap that its port has made.',
    remedy: 'See the port and its reason: `mesh port list`.',
  });
}
