/**
 * Receives and sends whole Ethernet frames on one device (packet(7)), on libuv. Frames are received before bridges and
 * firewalls process them, and sent without routes and neighbour entries. Frames that the filter refuses never wake this
 * process, nor do frames of a VLAN.
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
/** Loads the VLAN tag of a frame: SKF_AD_OFF + SKF_AD_VLAN_TAG (linux/filter.h). 0 for a frame without a tag. */
const VLAN_TAG = 0xfffff000 + 44;
/** The VLAN in a tag (IEEE 802.1Q §9.6). 0 is no VLAN: such a tag only carries a priority. */
const VLAN_ID = 0x0fff;
/** The most frames that are read before the event loop runs other work. */
const FRAMES_AT_ONCE = 200;

/** A received frame. */
interface Frame {
  /** From the Ethernet header on; valid until the listener returns. */
  readonly bytes: Buffer;
  /** This host sent the frame. */
  readonly outgoing: boolean;
}

/** Which device to listen on, and what to do with its frames. */
interface FrameSocketOptions {
  /** Index of the device. */
  readonly link: number;
  readonly filter: readonly FilterStep[];
  /** Whether to receive the frames that this host sends, too. */
  readonly outgoing?: boolean;
  /** A multicast group whose frames the NIC shall pass on. No membership report (IGMP, MLD) is sent for the group. */
  readonly group?: Mac;
  /** Path of the namespace that the device is in; the process's own when absent. */
  readonly netns?: string;
  readonly onFrame: (frame: Frame) => void;
  /** The socket has failed and receives nothing more. Temporary errors such as ENETDOWN are not reported. */
  readonly onError: (error: MeshError) => void;
}

const received = Buffer.alloc(0x10000);
const sender = Buffer.alloc(SOCKADDR_LL_BYTES);

/** A packet socket that calls `onFrame` for each frame. */
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
    const filter = untagged(options.filter);
    const fd = openPacketSocket({ ...options, filter, device: `link ${index}`, index, hears: 'frames' }, (socket) => {
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
    for (let count = 0; count < FRAMES_AT_ONCE && !this.#closed; count++) {
      const length: number = libc.recvfrom(this.#fd, received, received.length, 0, sender, [sender.length]);
      if (length >= 0) {
        // sll_pkttype, after family, protocol, index and hardware type.
        this.#options.onFrame({ bytes: received.subarray(0, length), outgoing: sender[10] === PACKET_OUTGOING });
        continue;
      }
      const errno = koffi.errno();
      if (errno === EAGAIN || errno === ENETDOWN) break;
      this.#options.onError(errnoError(errno, 'receive', `frames of link ${this.#link}`));
      return;
    }
    // libuv stops polling a socket that has an error, as when its device goes down: polling is started again.
    if (!this.#closed) this.#poll.start({ readable: true }, () => this.#receive());
  }
}

/**
 * Puts a refusal of all VLAN frames before a filter. The kernel takes the tag out of a received frame before packet sockets
 * get it, so a frame of VLAN 20 would look like one of the device's own network. The frame belongs to another segment.
 */
function untagged(filter: readonly FilterStep[]): readonly FilterStep[] {
  return [
    { load: 'word', offset: VLAN_TAG },
    { anyBit: VLAN_ID, yes: 'of a VLAN' },
    ...filter,
    { at: 'of a VLAN', take: false },
  ];
}

function joinGroup(fd: number, link: number, group: Mac): void {
  const bytes = Buffer.alloc(MEMBERSHIP_BYTES);
  bytes.writeInt32LE(link, 0);
  bytes.writeUInt16LE(MAC_BYTES, 6);
  bytes.set(macToBytes(group), 8);
  if (libc.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, bytes, bytes.length) < 0) throw failed('join', group);
}
