/** Router discovery at the end of a veth pair (RFC 4861): sends solicitations and advertisements, and hears the latter. */
import { sourceMac } from '../../../src/kernel/sockets/ethernet.ts';
import { FrameSocket } from '../../../src/kernel/sockets/frame-socket.ts';
import { encodeNeighbourFrame, groupMac, linkLocalOf } from '../../../src/kernel/sockets/neighbour-frame.ts';
import type { FilterStep } from '../../../src/kernel/sockets/packet-filter.ts';
import { type Ipv6, ipv6FromBytes, ipv6ToBytes } from '../../../src/model/address/ipv6.ts';
import { type Mac, macFromHex, parseMac } from '../../../src/model/address/mac.ts';
import { inside } from '../../kit/namespaces.ts';

const SOLICITATION = 133;
const ADVERTISEMENT = 134;
const MESSAGE_AT = 54;
const ADVERTISEMENTS: readonly FilterStep[] = [
  { load: 'half', offset: 12 },
  { equal: 0x86dd, no: 'drop' },
  { load: 'byte', offset: 20 },
  { equal: 58, no: 'drop' },
  { load: 'byte', offset: MESSAGE_AT },
  { equal: ADVERTISEMENT, no: 'drop' },
  { take: true },
  { at: 'drop', take: false },
];
const ALL_NODES = 'ff02::1' as Ipv6;
const ALL_ROUTERS = 'ff02::2' as Ipv6;

/** A router advertisement that was heard. */
export interface Advertisement {
  readonly from: Mac;
  readonly to: Mac;
  readonly toIpv6: Ipv6;
  /** The ICMPv6 message in hex, with its checksum as 0. */
  readonly message: string;
}

/** One network device that takes part in router discovery. */
export class RouterTalk {
  readonly mac: Mac;
  readonly heard: Advertisement[] = [];
  readonly #socket: FrameSocket;

  constructor(netns: string, device = 'eth0') {
    const [link] = JSON.parse(inside(netns, 'ip', '-j', 'link', 'show', device));
    this.mac = parseMac(link.address);
    this.#socket = FrameSocket.open({
      link: link.ifindex,
      netns,
      filter: ADVERTISEMENTS,
      onFrame: ({ bytes }) => {
        const message = Buffer.from(bytes.subarray(MESSAGE_AT)).fill(0, 2, 4).toString('hex');
        const to = macFromHex(bytes.toString('hex', 0, 6));
        this.heard.push({ from: sourceMac(bytes), to, toIpv6: ipv6FromBytes(bytes.subarray(38, 54)), message });
      },
      onError: () => {},
    });
  }

  get ipv6(): Ipv6 {
    return linkLocalOf(this.mac);
  }

  solicit(): void {
    this.#send(ALL_ROUTERS, Buffer.from([SOLICITATION, 0, 0, 0, 0, 0, 0, 0]));
  }

  /** Advertises a default router with a /64 prefix for addresses to all nodes. */
  advertise(prefix: Ipv6): void {
    const message = Buffer.alloc(16 + 32);
    message.set([ADVERTISEMENT, 0, 0, 0, 64], 0);
    message.writeUInt16BE(1800, 6);
    // Prefix information (§4.6.2), on the link and for addresses, for an hour.
    message.set([3, 4, 64, 0xc0], 16);
    message.writeUInt32BE(3600, 20);
    message.writeUInt32BE(3600, 24);
    message.set(ipv6ToBytes(prefix), 32);
    this.#send(ALL_NODES, message);
  }

  close(): void {
    this.#socket.close();
  }

  #send(group: Ipv6, message: Buffer): void {
    const { mac, ipv6 } = this;
    this.#socket.send(encodeNeighbourFrame({ mac, ipv6 }, { mac: groupMac(group), ipv6: group }, message));
  }
}
