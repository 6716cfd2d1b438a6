/** Packet sockets (packet(7)): what passes one link, heard before bridges and firewalls see it. */
import { failed, libc, SO_RCVBUFFORCE, SOCK_DGRAM, SOCK_RAW, SOL_SOCKET } from '../libc.ts';
import { attachFilter, type FilterStep } from './packet-filter.ts';
import { openSocket, setOption } from './socket.ts';

export interface PacketSocketOptions {
  /** The link, for errors by name. */
  readonly device: string;
  readonly index: number;
  /** Frames from their Ethernet header on, of any protocol; or IPv4 packets without it. */
  readonly hears: 'frames' | 'ipv4';
  /** What the kernel lets through: everything, when absent. */
  readonly filter?: readonly FilterStep[];
  /** Path of the namespace that the link is in; the process's own when absent. */
  readonly netns?: string;
}

const AF_PACKET = 17;
export const SOL_PACKET = 263;
const ETH_P_ALL = 0x0003;
const ETH_P_IP = 0x0800;
/** `struct sockaddr_ll`. */
export const SOCKADDR_LL_BYTES = 20;
/** A frame of 60 bytes counts as 768 here: room for a burst of 5,000. */
const RECEIVE_BYTES = 0x400000;

/**
 * @param prepare sets what else must be set before anything is heard
 * @returns the file descriptor
 * @throws MESH_KERNEL_REFUSED (EPERM: not root; ENODEV)
 */
export function openPacketSocket(
  { device, index, hears, filter, netns }: PacketSocketOptions,
  prepare: (fd: number) => void = () => {},
): number {
  const type = hears === 'frames' ? SOCK_RAW : SOCK_DGRAM;
  // With protocol 0 it hears nothing until it is bound, and so nothing past its filter or from other links.
  return openSocket({ domain: AF_PACKET, type, protocol: 0 }, netns, (fd) => {
    setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES, 'SO_RCVBUFFORCE');
    if (filter !== undefined) attachFilter(fd, filter);
    prepare(fd);
    const address = linkAddress(index, hears === 'frames' ? ETH_P_ALL : ETH_P_IP);
    if (libc.bind(fd, address, address.length) < 0) throw failed('bind a socket to', device);
  });
}

/** `struct sockaddr_ll`: family, protocol, index. */
export function linkAddress(index: number, protocol = ETH_P_ALL): Buffer {
  const bytes = Buffer.alloc(SOCKADDR_LL_BYTES);
  bytes.writeUInt16LE(AF_PACKET, 0);
  bytes.writeUInt16BE(protocol, 2);
  bytes.writeInt32LE(index, 4);
  return bytes;
}
