/**
 * Answers router solicitations on a boot wire with an advertisement that offers nothing (RFC 4861 §4.2): lifetime 0, no
 * prefix. iPXE, which tries IPv6 beside DHCP, waits up to 16 s for any router to speak; so it need not. Only where host0
 * is the server of a wire: elsewhere routers are somebody else's business.
 */
import { type Frame, FrameSocket, sourceMac } from '../kernel/frame-socket.ts';
import { icmpv6Checksum } from '../kernel/icmp.ts';
import type { FilterStep } from '../kernel/packet-filter.ts';
import type { MeshError } from '../model/error.ts';
import { type Mac, macToBytes } from '../model/mac.ts';

const ETHERNET_BYTES = 14;
const IPV6_BYTES = 40;
/** Type, code, checksum, hop limit, flags, lifetime, reachable time, retransmission timer. */
const MESSAGE_BYTES = 16;
const ETHERTYPE_IPV6 = 0x86dd;
const NEXT_HEADER_ICMPV6 = 58;
const SOLICITATION = 133;
const ADVERTISEMENT = 134;
/** Whatever passed a router is refused (RFC 4861 §6.1). */
const HOP_LIMIT = 255;
const MESSAGE_AT = ETHERNET_BYTES + IPV6_BYTES;

/** Offsets from the Ethernet header. */
const FILTER: readonly FilterStep[] = [
  { load: 'half', offset: 12 },
  { equal: ETHERTYPE_IPV6, no: 'drop' },
  { load: 'byte', offset: ETHERNET_BYTES + 6 },
  { equal: NEXT_HEADER_ICMPV6, no: 'drop' },
  { load: 'byte', offset: MESSAGE_AT },
  { equal: SOLICITATION, no: 'drop' },
  { at: 'take', take: true },
  { at: 'drop', take: false },
];

/** ff02::1 and its Ethernet address. */
const ALL_NODES = Buffer.from('ff020000000000000000000000000001', 'hex');
const ALL_NODES_MAC = Buffer.from('333300000001', 'hex');

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
    const answer = encodeEmptyAdvertisement(mac);
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

/** The whole frame, to all nodes, from the link-local address that follows from the MAC (RFC 4291, appendix A). */
export function encodeEmptyAdvertisement(mac: Mac): Buffer {
  const message = Buffer.alloc(MESSAGE_BYTES);
  message.writeUInt8(ADVERTISEMENT, 0);
  const header = Buffer.alloc(IPV6_BYTES);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(message.length, 4);
  header.writeUInt8(NEXT_HEADER_ICMPV6, 6);
  header.writeUInt8(HOP_LIMIT, 7);
  header.set(linkLocal(mac), 8);
  header.set(ALL_NODES, 24);
  message.writeUInt16BE(icmpv6Checksum(header, message), 2);
  const ethernet = Buffer.alloc(ETHERNET_BYTES);
  ethernet.set(ALL_NODES_MAC, 0);
  ethernet.set(macToBytes(mac), 6);
  ethernet.writeUInt16BE(ETHERTYPE_IPV6, 12);
  return Buffer.concat([ethernet, header, message]);
}

function linkLocal(mac: Mac): Buffer {
  const [first = 0, ...rest] = macToBytes(mac);
  const eui = [first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
  return Buffer.from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...eui]);
}
