/** Packet sockets (packet(7)): receive the packets of one link before bridges and firewalls process them. */
import { failed, libc, SOCK_DGRAM, SOCK_RAW } from '../libc.ts';
import { setReceiveBuffer } from '../receive-buffer.ts';
import { attachFilter, type FilterStep } from './packet-filter.ts';
import { openSocket } from './socket.ts';

/** What a packet socket receives. */
export interface PacketSocketOptions {
  /** Name of the link, for error messages only. */
  readonly device: string;
  /** Index of the link. */
  readonly index: number;
  /**
   * `frames`: whole frames of any protocol, from their Ethernet header on. `ipv4`: IPv4 packets from their IP header
   * on.
   */
  readonly hears: 'frames' | 'ipv4';
  /** The packets to receive; all when absent. */
  readonly filter?: readonly FilterStep[];
  /** Path of the namespace that the link is in; the process's own when absent. */
  readonly netns?: string;
}

const AF_PACKET = 17;
/** Level of the options of packet sockets (linux/socket.h). */
export const SOL_PACKET = 263;
const ETH_P_ALL = 0x0003;
const ETH_P_IP = 0x0800;
/** The length of `struct sockaddr_ll`. */
export const SOCKADDR_LL_BYTES = 20;
/** A frame of 60 bytes uses 768 bytes here: enough for a burst of 5,000 frames. */
const RECEIVE_BYTES = 0x400000;

/**
 * Opens a non-blocking packet socket, bound to a link.
 * @param prepare sets further options before the socket receives anything
 * @returns the file descriptor
 * @throws MESH_KERNEL_REFUSED (EPERM: no CAP_NET_RAW; ENODEV)
 */
export function openPacketSocket(
  { device, index, hears, filter, netns }: PacketSocketOptions,
  prepare: (fd: number) => void = () => {},
): number {
  const type = hears === 'frames' ? SOCK_RAW : SOCK_DGRAM;
  // With protocol 0 the socket receives nothing until it is bound: nothing bypasses its filter, and nothing comes from
  // other links.
  return openSocket({ domain: AF_PACKET, type, protocol: 0 }, netns, (fd) => {
    setReceiveBuffer(fd, RECEIVE_BYTES);
    if (filter !== undefined) attachFilter(fd, filter);
    prepare(fd);
    const address = linkAddress(index, hears === 'frames' ? ETH_P_ALL : ETH_P_IP);
    if (libc.bind(fd, address, address.length) < 0) throw failed('bind a socket to', device);
  });
}

/** `struct sockaddr_ll` of a link: family, protocol, index. */
export function linkAddress(index: number, protocol = ETH_P_ALL): Buffer {
  const bytes = Buffer.alloc(SOCKADDR_LL_BYTES);
  bytes.writeUInt16LE(AF_PACKET, 0);
  bytes.writeUInt16BE(protocol, 2);
  bytes.writeInt32LE(index, 4);
  return bytes;
}
