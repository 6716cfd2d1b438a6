/**
 * Ping inside this process: many echoes at once over two raw sockets, matched by identifier, sequence, sender and
 * payload. The sockets are raw, not ping sockets, since `net.ipv4.ping_group_range` is closed in every new namespace.
 */
import { randomBytes, randomInt } from 'node:crypto';
import koffi from 'koffi';
import { MeshError } from '../../model/error.ts';
import { addressFamily, type Ip, isIpv6 } from '../ip.ts';
import { AF_INET, AF_INET6, EAGAIN, EMSGSIZE, errnoError, failed, libc, SOCK_DGRAM, SOCK_RAW } from '../libc.ts';
import { setReceiveBuffer } from '../receive-buffer.ts';
import {
  decodeEchoMessage,
  ECHO_NUMBERS,
  ECHO_OVERHEAD_BYTES,
  type EchoMessage,
  encodeEchoRequest,
  type IpFamily,
} from './icmp.ts';
import { addressIn, bindToAddress, bindToDevice, openSocket, SOCKADDR_BYTES, setOption, sockaddr } from './socket.ts';

const SOL_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_MTU = 14;
const SOL_IPV6 = 41;
const IPV6_MTU_DISCOVER = 23;
const IPV6_MTU = 24;
const IPV6_DONTFRAG = 62;
/** Fragments a packet that is larger than the path MTU that this host knows. */
const PMTUDISC_WANT = 1;
/** Never fragments, and sends the packet whatever path MTU the route has cached (linux/in.h). */
const PMTUDISC_PROBE = 3;
const SOL_RAW = 255;
const ICMP_FILTER = 1;
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
const ICMPV6_FILTER = 1;

const DEFAULT_PAYLOAD_BYTES = 32;
const COOKIE_BYTES = 16;
const SEQUENCES = 0x10000;
/**
 * Between local namespaces an answer arrives before the next echo is sent; the default buffer of 212 kB holds only 200
 * of them.
 */
const RECEIVE_BYTES = 0x400000;

/** Where the echoes of a socket leave from. */
export interface EchoSocketOptions {
  /** Path of the namespace to ping from; the process's own when absent. */
  readonly netns?: string;
  /**
   * Echoes leave and answers arrive through this device only. The socket keeps the device's index: it does not follow a
   * new device of the same name.
   */
  readonly device?: string;
  /** Source address of the echoes; the route decides when absent. Only addresses of its family can be pinged then. */
  readonly source?: Ip;
}

/** How one echo is sent. */
interface EchoOptions {
  readonly timeoutMs: number;
  /** 32 when absent. */
  readonly payloadBytes?: number;
  /** The packet must not be fragmented: when the path is too narrow, `echo` throws PacketTooBig. */
  readonly dontFragment?: boolean;
}

/** MESH_PACKET_TOO_BIG: the echo does not fit the path, and must not be fragmented. */
export class PacketTooBig extends MeshError {
  /** The largest IP packet that fits, if known; the payload is `ECHO_OVERHEAD_BYTES` less. */
  readonly mtuBytes: number | undefined;

  constructor(to: Ip, packetBytes: number, mtuBytes: number | undefined) {
    const known = mtuBytes === undefined ? '' : `, which takes ${mtuBytes}`;
    super('MESH_PACKET_TOO_BIG', `a packet of ${packetBytes} bytes does not fit the path to ${to}${known}`, {
      operation: 'ping',
      object: to,
    });
    this.mtuBytes = mtuBytes;
  }
}

interface Pending {
  readonly to: Ip;
  readonly payload: Buffer;
  readonly sentMs: number;
  readonly timer: NodeJS.Timeout;
  resolve(rttMs: number | undefined): void;
  reject(error: MeshError): void;
}

interface RawSocket {
  readonly fd: number;
  readonly poll: { close(): void };
  dontFragment: boolean;
}

/** All sockets share both buffers: each is used only within one callback of the event loop. */
const received = Buffer.alloc(0x10000);
const sender = Buffer.alloc(SOCKADDR_BYTES);

/** Sends echoes of both families, and waits for their answers. */
export class EchoSocket {
  readonly #options: EchoSocketOptions;
  readonly #sockets: { [family in IpFamily]?: RawSocket } = {};
  readonly #id = randomInt(SEQUENCES);
  /** Fills every payload: an answer without it is not an answer to our echo. */
  readonly #cookie = randomBytes(COOKIE_BYTES);
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;

  private constructor(options: EchoSocketOptions) {
    this.#options = options;
  }

  /** @throws MESH_KERNEL_REFUSED (EPERM: no CAP_NET_RAW; ENODEV, EADDRNOTAVAIL) */
  static open(options: EchoSocketOptions = {}): EchoSocket {
    const echo = new EchoSocket(options);
    try {
      for (const family of [6, 4] as const) {
        if (options.source === undefined || familyOf(options.source) === family) echo.#openFamily(family);
      }
    } catch (error) {
      echo.close();
      throw error;
    }
    return echo;
  }

  /**
   * Sends one echo request.
   * @returns the round-trip time in ms, or undefined when no answer came in time
   * @throws PacketTooBig, and MESH_KERNEL_REFUSED when the kernel would not send it (ENETUNREACH)
   */
  echo(to: Ip, { timeoutMs, payloadBytes, dontFragment }: EchoOptions): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const family = familyOf(to);
      const socket = this.#sockets[family];
      if (socket === undefined || this.#pending.size >= SEQUENCES) {
        throw new MeshError('MESH_KERNEL_REFUSED', `no echo to ${to} can be sent`, {
          operation: 'ping',
          object: to,
          rule: 'A socket pings the family of its source, 65,536 echoes at a time, until it is closed.',
        });
      }
      const payload = Buffer.alloc(payloadBytes ?? DEFAULT_PAYLOAD_BYTES, this.#cookie);
      const sequence = this.#nextSequence();
      const sentMs = performance.now();
      this.#send(family, socket, to, sequence, payload, dontFragment ?? false);
      const timer = setTimeout(() => this.#take(sequence)?.resolve(undefined), timeoutMs);
      this.#pending.set(sequence, { to, payload, sentMs, timer, resolve, reject });
    });
  }

  /** Closes the sockets. Echoes under way resolve as if no answer had come. */
  close(): void {
    for (const family of [4, 6] as const) {
      const socket = this.#sockets[family];
      socket?.poll.close();
      if (socket !== undefined) libc.close(socket.fd);
      delete this.#sockets[family];
    }
    for (const sequence of [...this.#pending.keys()]) this.#take(sequence)?.resolve(undefined);
  }

  #openFamily(family: IpFamily): void {
    const { netns, device, source } = this.#options;
    const kind =
      family === 6
        ? { domain: AF_INET6, type: SOCK_RAW, protocol: IPPROTO_ICMPV6 }
        : { domain: AF_INET, type: SOCK_RAW, protocol: IPPROTO_ICMP };
    const fd = openSocket(kind, netns, (socket) => {
      filterMessages(family, socket);
      setReceiveBuffer(socket, RECEIVE_BYTES);
      if (device !== undefined) bindToDevice(socket, device);
      if (source !== undefined) bindToAddress(socket, source, 0);
    });
    const poll = koffi.node.poll(fd, { readable: true }, () => this.#receive(family, fd));
    this.#sockets[family] = { fd, poll, dontFragment: false };
  }

  #nextSequence(): number {
    do this.#sequence = (this.#sequence + 1) % SEQUENCES;
    while (this.#pending.has(this.#sequence));
    return this.#sequence;
  }

  #send(family: IpFamily, socket: RawSocket, to: Ip, sequence: number, payload: Buffer, dontFragment: boolean): void {
    if (socket.dontFragment !== dontFragment) {
      setDontFragment(family, socket.fd, dontFragment);
      socket.dontFragment = dontFragment;
    }
    const message = encodeEchoRequest(family, this.#id, sequence, payload);
    const address = sockaddr(to, 0);
    if (libc.sendto(socket.fd, message, message.length, 0, address, address.length) >= 0) return;
    const errno = koffi.errno();
    if (errno !== EMSGSIZE) throw errnoError(errno, 'ping', to);
    throw new PacketTooBig(to, payload.length + ECHO_OVERHEAD_BYTES[family], knownPathMtu(to, this.#options));
  }

  #receive(family: IpFamily, fd: number): void {
    for (;;) {
      const length: number = libc.recvfrom(fd, received, received.length, 0, sender, [sender.length]);
      if (length < 0) {
        const errno = koffi.errno();
        if (errno === EAGAIN) return;
        this.#failAll(errnoError(errno, 'receive', 'echo replies'));
        return;
      }
      const message = decodeEchoMessage(family, received.subarray(0, length));
      if (message?.id === this.#id) this.#answer(message, addressIn(sender));
    }
  }

  #answer(message: EchoMessage, from: Ip): void {
    const { sequence } = message;
    const pending = this.#pending.get(sequence);
    if (pending === undefined) return;
    const { to, payload, sentMs } = pending;
    if (message.kind === 'reply') {
      if (from === to && message.payload.equals(payload)) this.#take(sequence)?.resolve(performance.now() - sentMs);
      return;
    }
    const packetBytes = payload.length + ECHO_OVERHEAD_BYTES[familyOf(to)];
    this.#take(sequence)?.reject(new PacketTooBig(to, packetBytes, message.mtuBytes));
  }

  #take(sequence: number): Pending | undefined {
    const pending = this.#pending.get(sequence);
    clearTimeout(pending?.timer);
    this.#pending.delete(sequence);
    return pending;
  }

  #failAll(error: MeshError): void {
    for (const sequence of [...this.#pending.keys()]) this.#take(sequence)?.reject(error);
  }
}

function familyOf(address: Ip): IpFamily {
  return isIpv6(address) ? 6 : 4;
}

/** Lets only echo replies and «too big» through, since a host receives much other ICMP. A set bit keeps a type out. */
function filterMessages(family: IpFamily, fd: number): void {
  const { reply, tooBig } = ECHO_NUMBERS[family];
  const filter = Buffer.alloc(family === 6 ? 32 : 4, 0xff);
  for (const type of [reply, tooBig.type]) {
    const word = (type >> 5) * 4;
    filter.writeUInt32LE((filter.readUInt32LE(word) & ~(1 << (type & 31))) >>> 0, word);
  }
  const [level, option] = family === 6 ? [IPPROTO_ICMPV6, ICMPV6_FILTER] : [SOL_RAW, ICMP_FILTER];
  if (libc.setsockopt(fd, level, option, filter, filter.length) < 0) throw failed('filter', 'ICMP messages');
}

function setDontFragment(family: IpFamily, fd: number, on: boolean): void {
  const discovery = on ? PMTUDISC_PROBE : PMTUDISC_WANT;
  if (family === 4) {
    setOption(fd, SOL_IP, IP_MTU_DISCOVER, discovery, 'IP_MTU_DISCOVER');
    return;
  }
  setOption(fd, SOL_IPV6, IPV6_MTU_DISCOVER, discovery, 'IPV6_MTU_DISCOVER');
  setOption(fd, SOL_IPV6, IPV6_DONTFRAG, on ? 1 : 0, 'IPV6_DONTFRAG');
}

/** The path MTU that the kernel knows for an address: only a connected socket can read it (ip(7), IP_MTU). */
function knownPathMtu(to: Ip, { netns, device }: EchoSocketOptions): number | undefined {
  const address = sockaddr(to, 9);
  const value = Buffer.alloc(4);
  let known = false;
  const fd = openSocket({ domain: addressFamily(to), type: SOCK_DGRAM, protocol: 0 }, netns, (socket) => {
    if (device !== undefined) bindToDevice(socket, device);
    const [level, option] = isIpv6(to) ? [SOL_IPV6, IPV6_MTU] : [SOL_IP, IP_MTU];
    known =
      libc.connect(socket, address, address.length) === 0 &&
      libc.getsockopt(socket, level, option, value, [value.length]) === 0;
  });
  libc.close(fd);
  return known ? value.readInt32LE() : undefined;
}
