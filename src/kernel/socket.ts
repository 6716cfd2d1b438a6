/** Sockets that node:net cannot make: raw ones, in another namespace, tied to a device. */
import { isIPv6 } from 'node:net';
import { type Ipv4, ipv4FromBytes, ipv4ToBytes } from '../model/ipv4.ts';
import { type Ipv6, ipv6FromBytes, ipv6ToBytes } from '../model/ipv6.ts';
import { AF_INET, AF_INET6, failed, libc, SO_BINDTODEVICE, SOCK_CLOEXEC, SOCK_NONBLOCK, SOL_SOCKET } from './libc.ts';
import { inNetns } from './netns.ts';

const SOCKADDR_IN6_BYTES = 28;
const SOCKADDR_IN_BYTES = 16;

/** Enough for the address of any IP socket. */
export const SOCKADDR_BYTES = SOCKADDR_IN6_BYTES;

/**
 * Makes a non-blocking, close-on-exec socket and hands it to `prepare`; when that throws, the socket is closed.
 * @param netns path of the namespace that it belongs to; the process's own when absent
 * @returns the file descriptor
 */
export function openSocket(
  kind: { readonly domain: number; readonly type: number; readonly protocol: number },
  netns: string | undefined,
  prepare: (fd: number) => void,
): number {
  const make = (): number => {
    const fd: number = libc.socket(kind.domain, kind.type | SOCK_NONBLOCK | SOCK_CLOEXEC, kind.protocol);
    if (fd < 0) throw failed('open', 'a socket', 'Run it as root.');
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

/** Sets an option whose value is an int. `name` is the one of the man page, for the error. */
export function setOption(fd: number, level: number, option: number, value: number, name: string): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  if (libc.setsockopt(fd, level, option, bytes, bytes.length) < 0) throw failed('set', name);
}

/** Ties a socket to a device of its namespace: nothing comes or goes through another one. */
export function bindToDevice(fd: number, device: string): void {
  const bytes = Buffer.from(`${device}\0`);
  if (libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bytes, bytes.length) < 0) {
    throw failed('bind a socket to', device);
  }
}

export function bindToAddress(fd: number, address: Ipv4 | Ipv6, port: number): void {
  const bytes = sockaddr(address, port);
  if (libc.bind(fd, bytes, bytes.length) < 0) {
    throw failed('bind a socket to', isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`);
  }
}

/** `struct sockaddr_in` or `sockaddr_in6`, after the family of the address. */
export function sockaddr(address: Ipv4 | Ipv6, port: number): Buffer {
  if (isIPv6(address)) {
    const bytes = Buffer.alloc(SOCKADDR_IN6_BYTES);
    bytes.writeUInt16LE(AF_INET6, 0);
    bytes.writeUInt16BE(port, 2);
    bytes.set(ipv6ToBytes(address as Ipv6), 8);
    return bytes;
  }
  const bytes = Buffer.alloc(SOCKADDR_IN_BYTES);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipv4ToBytes(address as Ipv4), 4);
  return bytes;
}

/** The address in a `struct sockaddr_in` or `sockaddr_in6` that the kernel filled in. */
export function addressIn(bytes: Buffer): Ipv4 | Ipv6 {
  return bytes.readUInt16LE(0) === AF_INET6
    ? ipv6FromBytes(bytes.subarray(8, 24))
    : ipv4FromBytes(bytes.subarray(4, 8));
}
