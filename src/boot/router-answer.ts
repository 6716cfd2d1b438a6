/**
 * Answers router solicitations on a boot wire with an advertisement that offers nothing (RFC 4861 §4.2): lifetime 0, no
 * prefix. iPXE, which tries IPv6 beside DHCP, waits up to 16 s for any router to speak; so it need not. Only where host0
 * is the server of a wire: elsewhere routers are somebody else's business.
 */
import { ETHERNET_BYTES, ETHERTYPE, IP_PROTOCOL, IPV6_BYTES, sourceMac } from '../kernel/ethernet.ts';
import { type Frame, FrameSocket } from '../kernel/frame-socket.ts';
import { encodeNeighbourFrame, groupMac, HOP_LIMIT, linkLocalOf } from '../kernel/neighbour-frame.ts';
import type { FilterStep } from '../kernel/packet-filter.ts';
import type { MeshError } from '../model/error.ts';
import type { Ipv6 } from '../model/ipv6.ts';
import type { Mac } from '../model/mac.ts';

/** Type, code, checksum, hop limit, flags, lifetime, reachable time, retransmission timer. */
const MESSAGE_BYTES = 16;
const SOLICITATION = 133;
const ADVERTISEMENT = 134;
const MESSAGE_AT = ETHERNET_BYTES + IPV6_BYTES;

/** Offsets from the Ethernet header. */
const FILTER: readonly FilterStep[] = [
  { load: 'half', offset: 12 },
  { equal: ETHERTYPE.ipv6, no: 'drop' },
  { load: 'byte', offset: ETHERNET_BYTES + 6 },
  { equal: IP_PROTOCOL.icmpv6, no: 'drop' },
  { load: 'byte', offset: MESSAGE_AT },
  { equal: SOLICITATION, no: 'drop' },
  { at: 'take', take: true },
  { at: 'drop', take: false },
];

const ALL_NODES = 'ff02::1' as Ipv6;
const EMPTY_ADVERTISEMENT = Buffer.alloc(MESSAGE_BYTES).fill(ADVERTISEMENT, 0, 1);

export interface RouterAnswerInput {
  /** Index of the port. */
  readonly link: number;
  readonly mac: Mac;
  readonly onError: (error: MeshError) => void;
}

export class RouterAnswer {
  readonly #socket: FrameSocket;

  private constructor(socket: FrameSocket) {
    this.#socket = socket;
  }

  /** @throws MESH_KERNEL_REFUSED */
  static open({ link, mac, onError }: RouterAnswerInput): RouterAnswer {
    const from = { mac, ipv6: linkLocalOf(mac) };
    const answer = encodeNeighbourFrame(from, { mac: groupMac(ALL_NODES), ipv6: ALL_NODES }, EMPTY_ADVERTISEMENT);
    const socket: FrameSocket = FrameSocket.open({
      link,
      filter: FILTER,
      onFrame: ({ bytes }: Frame) => {
        if (bytes.length < MESSAGE_AT + 8 || bytes[ETHERNET_BYTES + 7] !== HOP_LIMIT || sourceMac(bytes) === mac)
          return;
        try {
          socket.send(answer);
        } catch {
          // The device went down with the question on its way: whoever asked will ask again.
        }
      },
      onError,
    });
    return new RouterAnswer(socket);
  }

  close(): void {
    this.#socket.close();
  }
}
