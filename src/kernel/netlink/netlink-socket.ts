/** A netlink socket: open, send, receive. The main thread waits neither for the kernel's work nor for an answer. */
import koffi from 'koffi';
import { MeshError } from '../../model/error.ts';
import { capabilityRemedy } from '../capability.ts';
import {
  AF_NETLINK,
  EAGAIN,
  ENOBUFS,
  ENODEV,
  errnoError,
  failed,
  libc,
  MSG_DONTWAIT,
  MSG_TRUNC,
  SO_BINDTODEVICE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
} from '../libc.ts';
import { inNetns } from '../netns.ts';
import { setReceiveBuffer } from '../receive-buffer.ts';
import { systemCallOnThread } from './thread-pool.ts';

/** Links, addresses, routes, neighbours and FDB entries (linux/netlink.h). */
export const NETLINK_ROUTE = 0;
/** nftables (linux/netlink.h). */
export const NETLINK_NETFILTER = 12;

const SOL_NETLINK = 270;
const SO_BINDTOIFINDEX = 62;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** IFNAMSIZ, with the closing NUL. The kernel cuts a longer name off and would look for its beginning. */
const IFNAME_BYTES = 16;
const SOCKADDR_BYTES = 12;
/** One read gets at most 32 KB of a dump; an event is one message of a few KB. */
const RECEIVE_BYTES = 64 * 1024;
const RECEIVE_FLAGS = MSG_DONTWAIT | MSG_TRUNC;

/** One read: bytes, or `empty` when nothing waits, or `overflow` when the kernel dropped messages. */
export type Received = Buffer | 'empty' | 'overflow';

/** How a netlink socket is opened. */
export interface NetlinkSocketOptions {
  readonly protocol: typeof NETLINK_ROUTE | typeof NETLINK_NETFILTER;
  /** Multicast groups 1 to 32 as bits: group g is `1 << (g - 1)`. */
  readonly groups?: number;
  readonly receiveBufferBytes: number;
  /** Path of the namespace that the socket belongs to; the process's own when absent. */
  readonly netns?: string;
}

/** A non-blocking netlink socket with extended and capped acknowledgements, and strict checking of dump requests. */
export class NetlinkSocket {
  readonly fd: number;
  /** The kernel's number for this socket. Events carry the port id of the socket whose request caused them. */
  readonly portId: number;
  readonly #received = Buffer.alloc(RECEIVE_BYTES);
  readonly #kernel = socketAddress(0);

  private constructor(fd: number, portId: number) {
    this.fd = fd;
    this.portId = portId;
  }

  /** @throws MESH_KERNEL_REFUSED */
  static open(options: NetlinkSocketOptions): NetlinkSocket {
    const { netns } = options;
    const type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
    const make = () => checked(libc.socket(AF_NETLINK, type, options.protocol), 'open');
    const fd = netns === undefined ? make() : inNetns(netns, make);
    try {
      setReceiveBuffer(fd, options.receiveBufferBytes);
      for (const name of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK])
        setOption(fd, SOL_NETLINK, name, 1);
      checked(libc.bind(fd, socketAddress(options.groups ?? 0), SOCKADDR_BYTES), 'bind');
      const address = socketAddress(0);
      checked(libc.getsockname(fd, address, [SOCKADDR_BYTES]), 'name');
      return new NetlinkSocket(fd, address.readUInt32LE(4));
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  }

  /**
   * Sends messages to the kernel. When this resolves, the kernel has worked on all of them, and their answers wait to
   * be received.
   * @throws MESH_KERNEL_REFUSED
   */
  async send(bytes: Uint8Array): Promise<void> {
    const { fd } = this;
    const sent = await systemCallOnThread((done) =>
      libc.sendto.async(fd, bytes, bytes.length, 0, this.#kernel, SOCKADDR_BYTES, done),
    );
    if (sent < 0) throw errnoError(-sent, 'send to', 'netlink socket');
  }

  /**
   * What arrived next, valid until the next call. Not for dumps.
   * @returns `empty` when nothing waits, `overflow` when messages were lost because they were not read in time
   * @throws MESH_KERNEL_REFUSED, MESH_KERNEL_MALFORMED for a message of more than 64 KB
   */
  receive(): Received {
    const length: number = libc.recv(this.fd, this.#received, RECEIVE_BYTES, RECEIVE_FLAGS);
    return this.#taken(length < 0 ? -koffi.errno() : length);
  }

  /** Receives one part of a dump, on a pool thread: with each read the kernel makes the next part, under its lock. */
  async receivePart(): Promise<Received> {
    const { fd } = this;
    return this.#taken(
      await systemCallOnThread((done) => libc.recv.async(fd, this.#received, RECEIVE_BYTES, RECEIVE_FLAGS, done)),
    );
  }

  #taken(length: number): Received {
    if (length === -EAGAIN) return 'empty';
    if (length === -ENOBUFS) return 'overflow';
    if (length < 0) throw errnoError(-length, 'receive from', 'netlink socket');
    if (length > RECEIVE_BYTES) throw new MeshError('MESH_KERNEL_MALFORMED', `netlink message of ${length} bytes`);
    return this.#received.subarray(0, length);
  }

  /**
   * The index of the link with this name in the socket's namespace; 0 when there is none. Uses a socket option that has
   * no other effect on netlink: RTM_GETLINK would wait for the lock, and SIOCGIFINDEX for modprobe when there is no
   * such link.
   * @throws MESH_KERNEL_REFUSED (EPERM: no CAP_NET_RAW)
   */
  linkIndex(name: string): number {
    const bytes = Buffer.from(name);
    if (bytes.length >= IFNAME_BYTES) return 0;
    if (libc.setsockopt(this.fd, SOL_SOCKET, SO_BINDTODEVICE, bytes, bytes.length) < 0) {
      if (koffi.errno() === ENODEV) return 0;
      throw failed('find a link by', 'netlink socket', capabilityRemedy('CAP_NET_RAW'));
    }
    const index = Buffer.alloc(4);
    checked(libc.getsockopt(this.fd, SOL_SOCKET, SO_BINDTOIFINDEX, index, [index.length]), 'find a link by');
    return index.readInt32LE();
  }

  close(): void {
    libc.close(this.fd);
  }
}

/** struct sockaddr_nl: family, padding, port id (0 means the kernel, or lets the kernel choose), groups. */
function socketAddress(groups: number): Buffer {
  const address = Buffer.alloc(SOCKADDR_BYTES);
  address.writeUInt16LE(AF_NETLINK, 0);
  address.writeUInt32LE(groups, 8);
  return address;
}

function setOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  checked(libc.setsockopt(fd, level, name, bytes, bytes.length), `set option ${name} of`);
}

function checked(result: number, operation: string): number {
  if (result < 0) throw failed(operation, 'netlink socket', capabilityRemedy('CAP_NET_ADMIN'));
  return result;
}
