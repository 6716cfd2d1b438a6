/** Sockets that node:net cannot make: raw ones, in another namespace, or bound to a device. */
import { ipv4FromBytes } from '../../model/address/ipv4.ts';
import { ipv6FromBytes } from '../../model/address/ipv6.ts';
import { capabilityRemedy } from '../capability.ts';
import { addressFamily, type Ip, ipToBytes, isIpv6 } from '../ip.ts';
import { AF_INET6, failed, libc, SO_BINDTODEVICE, SOCK_CLOEXEC, SOCK_NONBLOCK, SOL_SOCKET } from '../libc.ts';
import { inNetns } from '../netns.ts';

const SOCKADDR_IN6_BYTES = 28;
const SOCKADDR_IN_BYTES = 16;

/** Room for the address of any IP socket. */
export const SOCKADDR_BYTES = SOCKADDR_IN6_BYTES;

/**
 * Opens a non-blocking, close-on-exec socket and passes it to `prepare`. When `prepare` throws, the socket is closed.
 * @param netns path of the namespace that the socket belongs to; the process's own when absent
 * @returns the file descriptor
 * @throws MESH_KERNEL_REFUSED (EPERM: no CAP_NET_RAW)
 */
export function openSocket(
  kind: { readonly domain: number; readonly type: number; readonly protocol: number },
  netns: string | undefined,
  prepare: (fd: number) => void,
): number {
  const make = (): number => {
    const fd: number = libc.socket(kind.domain, kind.type | SOCK_NONBLOCK | SOCK_CLOEXEC, kind.protocol);
    if (fd < 0) throw failed('open', 'a socket', capabilityRemedy('CAP_NET_RAW'));
    return fd;
  };
  const fd = netns === undefined ? make() : inNetns(netns, make);
  try {
    prepare(fd);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/**
 * Sets an option whose value is an int.
 * @param name the option's name in its man page, for the error
 * @throws MESH_KERNEL_REFUSED
 */
export function setOption(fd: number, level: number, option: number, value: number, name: string): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  if (libc.setsockopt(fd, level, option, bytes, bytes.length) < 0) throw failed('set', name);
}

/**
 * Binds a socket to a device of its namespace: packets come and go only through this device.
 * @throws MESH_KERNEL_REFUSED (ENODEV)
 */
export function bindToDevice(fd: number, device: string): void {
  const bytes = Buffer.from(`${device}\0`);
  if (libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bytes, bytes.length) < 0) {
    throw failed('bind a socket to', device);
  }
}

/**
 * Binds a socket to a local address and port; port 0 lets the kernel choose.
 * @throws MESH_KERNEL_REFUSED (EADDRINUSE, EADDRNOTAVAIL)
 */
export function bindToAddress(fd: number, address: Ip, port: number): void {
  const bytes = sockaddr(address, port);
  if (libc.bind(fd, bytes, bytes.length) < 0) {
    throw failed('bind a socket to', isIpv6(address) ? `[${address}]:${port}` : `${address}:${port}`);
  }
}

/** `struct sockaddr_in` or `sockaddr_in6`, by the family of the address. */
export function sockaddr(address: Ip, port: number): Buffer {
  const bytes = Buffer.alloc(isIpv6(address) ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES);
  bytes.writeUInt16LE(addressFamily(address), 0);
  bytes.writeUInt16BE(port, 2);
  // In sockaddr_in6 the flow label comes before the address.
  bytes.set(ipToBytes(address), isIpv6(address) ? 8 : 4);
  return bytes;
}

/** The address in a `struct sockaddr_in` or `sockaddr_in6` that the kernel filled in. */
export function addressIn(bytes: Buffer): Ip {
  return bytes.readUInt16LE(0) === AF_INET6
    ? ipv6FromBytes(bytes.subarray(8, 24))
    : ipv4FromBytes(bytes.subarray(4, 8));
}
