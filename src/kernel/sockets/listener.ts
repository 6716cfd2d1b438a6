/**
 * Listening sockets that answer on one device only. Linux accepts a packet for any of its addresses on any device (the
 * weak host model, RFC 1122 §3.3.4.2). So a socket bound only to an address is reachable from the underlay: a machine
 * there can route the mesh prefix to host0's link-local address.
 */
import { MeshError } from '../../model/error.ts';
import { addressFamily, type Ip, isIpv6 } from '../ip.ts';
import { failed, libc, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET } from '../libc.ts';
import { bindToAddress, bindToDevice, openSocket, setOption } from './socket.ts';

const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const TCP_USER_TIMEOUT = 18;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_FREEBIND = 78;
const SOL_IP = 0;
const IP_FREEBIND = 15;
const DEFAULT_BACKLOG = 511;

/** Where to listen. */
interface BoundListenerOptions {
  /** The device need not have the address yet, or may have it as tentative. */
  readonly address: Ip;
  readonly port: number;
  /** Must exist. The socket keeps the device's index: when the device is made again, a new listener is needed. */
  readonly device: string;
  /** Path of the namespace that the device is in; the process's own when absent. */
  readonly netns?: string;
  /** Connections that may wait to be accepted. */
  readonly backlog?: number;
  /**
   * A connection ends with ETIMEDOUT when its peer acknowledges no sent data, or has no room for more, for this long
   * (RFC 5482, tcp(7)). A peer that takes a byte now and then keeps its connection for ever.
   */
  readonly sendTimeoutMs?: number;
}

/**
 * Opens a listening TCP socket for `server.listen({ fd })`, which then owns the descriptor.
 * @throws MESH_KERNEL_REFUSED (ENODEV, EADDRINUSE, EPERM)
 */
export function boundListener(options: BoundListenerOptions): number {
  const { address, port, device, netns, backlog, sendTimeoutMs } = options;
  return openSocket({ domain: addressFamily(address), type: SOCK_STREAM, protocol: IPPROTO_TCP }, netns, (fd) => {
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1, 'SO_REUSEADDR');
    if (isIpv6(address)) {
      setOption(fd, SOL_IPV6, IPV6_V6ONLY, 1, 'IPV6_V6ONLY');
      setOption(fd, SOL_IPV6, IPV6_FREEBIND, 1, 'IPV6_FREEBIND');
    } else {
      setOption(fd, SOL_IP, IP_FREEBIND, 1, 'IP_FREEBIND');
    }
    // Accepted connections inherit this option.
    if (sendTimeoutMs !== undefined) setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, sendTimeoutMs, 'TCP_USER_TIMEOUT');
    bindToDevice(fd, device);
    bindToAddress(fd, address, port);
    if (libc.listen(fd, backlog ?? DEFAULT_BACKLOG) < 0) throw failed('listen on', `${address} port ${port}`);
  });
}

/**
 * Opens a UDP socket for `socket.bind({ fd })`, which then owns the descriptor.
 * @throws MESH_KERNEL_REFUSED (ENODEV, EADDRINUSE, EPERM)
 */
export function boundDatagrams({
  address,
  port,
  device,
  netns,
}: Omit<BoundListenerOptions, 'backlog' | 'sendTimeoutMs'>): number {
  return openSocket({ domain: addressFamily(address), type: SOCK_DGRAM, protocol: IPPROTO_UDP }, netns, (fd) => {
    bindToDevice(fd, device);
    bindToAddress(fd, address, port);
  });
}

/**
 * Whether any program uses a UDP port on a device, even bound to any address or with SO_REUSEADDR.
 * @throws MESH_KERNEL_REFUSED (ENODEV, EPERM)
 */
export function hasListener(where: Omit<BoundListenerOptions, 'backlog'>): boolean {
  try {
    libc.close(boundDatagrams(where));
    return false;
  } catch (error) {
    const { cause } = MeshError.from(error);
    if ((cause as { name?: string } | undefined)?.name === 'EADDRINUSE') return true;
    throw error;
  }
}
