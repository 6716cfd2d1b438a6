/**
 * Whole Ethernet frames of one device (packet(7)), on libuv: heard before bridges and firewalls see them, and sent past
 * routes and neighbours. What the filter refuses never wakes this process.
 */
import koffi from 'koffi';
import { type Mac, macToBytes } from '../../model/address/mac.ts';
import type { MeshError } from '../../model/error.ts';
import { EAGAIN, ENETDOWN, errnoError, failed, libc } from '../libc.ts';
import type { FilterStep } from './packet-filter.ts';
import { linkAddress, openPacketSocket, SOCKADDR_LL_BYTES, SOL_PACKET } from './packet-socket.ts';
import { setOption } from './socket.ts';

const PACKET_IGNORE_OUTGOING = 23;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_OUTGOING = 4;
/** `struct packet_mreq`: index, type (0: multicast), length and bytes of the address. */
const MEMBERSHIP_BYTES = 16;
const MAC_BYTES = 6;
/** Frames that one turn of the event loop reads at the most. */
const FRAMES_PER_TURN = 200;

export interface Frame {
  /** From the Ethernet header on; valid until the listener returns. */
  readonly bytes: Buffer;
  /** Sent by this host. */
  readonly outgoing: boolean;
}

export interface FrameSocketOptions {
  /** Index of the device. */
  readonly link: number;
  readonly filter: readonly FilterStep[];
  /** Whether to hear what this host itself sends. */
  readonly outgoing?: boolean;
  /** A group whose frames a card is not to filter out; it is told to nobody else. */
  readonly group?: Mac;
  /** Path of the namespace that the device is in; the process's own when absent. */
  readonly netns?: string;
  readonly onFrame: (frame: Frame) => void;
  /** The socket hears nothing any more; ENETDOWN and the like pass by themselves and are not told. */
  readonly onError: (error: MeshError) => void;
}

const received = Buffer.alloc(0x10000);
const sender = Buffer.alloc(SOCKADDR_LL_BYTES);

export class FrameSocket {
  readonly #fd: number;
  readonly #link: number;
  readonly #poll: { start(options: { readable: boolean }, listener: () => void): void; close(): void };
  readonly #options: FrameSocketOptions;
  #closed = false;

  private constructor(fd: number, options: FrameSocketOptions) {
    this.#fd = fd;
    this.#link = options.link;
    this.#options = options;
    this.#poll = koffi.node.poll(fd, { readable: true }, () => this.#receive());
  }

  /** @throws MESH_KERNEL_REFUSED (EPERM: not root; ENODEV) */
  static open(options: FrameSocketOptions): FrameSocket {
    const { link: index, outgoing, group } = options;
    const fd = openPacketSocket({ ...options, device: `link ${index}`, index, hears: 'frames' }, (socket) => {
      if (outgoing !== true) setOption(socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, 'PACKET_IGNORE_OUTGOING');
      if (group !== undefined) joinGroup(socket, index, group);
    });
    return new FrameSocket(fd, options);
  }

  /**
   * Sends a frame, from its Ethernet header on.
   * @throws MESH_KERNEL_REFUSED (ENETDOWN, ENXIO: the device is down or gone)
   */
  send(frame: Uint8Array): void {
    const address = linkAddress(this.#link);
    if (libc.sendto(this.#fd, frame, frame.length, 0, address, address.length) < 0) {
      throw failed('send a frame through', `link ${this.#link}`);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poll.close();
    libc.close(this.#fd);
  }

  #receive(): void {
    for (let count = 0; count < FRAMES_PER_TURN && !this.#closed; count++) {
      const length: number = libc.recvfrom(this.#fd, received, received.length, 0, sender, [sender.length]);
      if (length >= 0) {
        // sll_pkttype, behind family, protocol, index and hardware type.
        this.#options.onFrame({ bytes: received.subarray(0, length), outgoing: sender[10] === PACKET_OUTGOING });
        continue;
      }
      const errno = koffi.errno();
      if (errno === EAGAIN || errno === ENETDOWN) break;
      this.#options.onError(errnoError(errno, 'receive', `frames of link ${this.#link}`));
      return;
    }
    // A device that goes down is an error of the socket, at which libuv stops polling.
    if (!this.#closed) this.#poll.start({ readable: true }, () => this.#receive());
  }
}

function joinGroup(fd: number, link: number, group: Mac): void {
  const bytes = Buffer.alloc(MEMBERSHIP_BYTES);
  bytes.writeInt32LE(link, 0);
  bytes.writeUInt16LE(MAC_BYTES, 6);
  bytes.set(macToBytes(group), 8);
  if (libc.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, bytes, bytes.length) < 0) throw failed('join', group);
}
