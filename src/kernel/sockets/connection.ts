/**
 * TCP connections through one device only. Without the device, a connection to host0's mesh address would leave by the
 * default route while the mesh has no bridge, and a machine on the underlay could answer.
 */
import { Socket } from 'node:net';
import { addressFamily, type Ip } from '../ip.ts';
import { SOCK_STREAM } from '../libc.ts';
import { bindToDevice, openSocket } from './socket.ts';

const IPPROTO_TCP = 6;

/** The other end of a connection, and the device on the way there. */
export interface ConnectionTarget {
  readonly address: Ip;
  readonly port: number;
  /** Must exist. The socket keeps the device's index. */
  readonly device: string;
}

/**
 * Begins a connection. The socket emits `connect`, or `error` (ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH).
 * @throws MESH_KERNEL_REFUSED (ENODEV, EPERM)
 */
export function boundConnection({ address, port, device }: ConnectionTarget): Socket {
  const kind = { domain: addressFamily(address), type: SOCK_STREAM, protocol: IPPROTO_TCP };
  const fd = openSocket(kind, undefined, (descriptor) => bindToDevice(descriptor, device));
  // Node takes a descriptor for a connected socket, and would read from it at once.
  const unconnected = { fd, manualStart: true };
  return new Socket(unconnected).connect({ host: address, port });
}
