/**
 * The DHCP and TFTP packets of a booting machine, sent at the end of a veth pair: firmware and iPXE as they really ask
 * (docs/boot.md).
 */
import { randomInt } from 'node:crypto';
import { type DhcpPacket, decodeDhcp, encodeDhcp, OPTION } from '../../../src/boot/frames/dhcp-packet.ts';
import {
  BROADCAST_IPV4,
  decodeUdpFrame,
  encodeUdpFrame,
  NO_IPV4,
  type UdpEnd,
} from '../../../src/boot/frames/udp-frame.ts';
import { BROADCAST_MAC } from '../../../src/kernel/sockets/ethernet.ts';
import { FrameSocket } from '../../../src/kernel/sockets/frame-socket.ts';
import type { Ipv4 } from '../../../src/model/address/ipv4.ts';
import { type Mac, parseMac } from '../../../src/model/address/mac.ts';
import { inside } from '../../kit/namespaces.ts';
import { until } from '../until.ts';

/** The kinds of clients that it can play. */
export type Firmware = 'bios' | 'efi' | 'efi class' | 'efi http' | 'ipxe' | 'ipxe efi' | 'arm' | 'system';

const [DISCOVER, REQUEST] = [1, 3];
const ANSWER_MS = 15_000;

/** What each kind of client sends: vendor class, architecture, and whether it asks for broadcast and is iPXE. */
const ASKS: Readonly<Record<Firmware, { vendor?: string; architecture?: number; broadcast: boolean; ipxe?: boolean }>> =
  {
    bios: { vendor: 'PXEClient:Arch:00000:UNDI:002001', architecture: 0, broadcast: false },
    efi: { vendor: 'PXEClient:Arch:00007:UNDI:003000', architecture: 7, broadcast: true },
    // Firmware that leaves option 93 out.
    'efi class': { vendor: 'PXEClient:Arch:00007:UNDI:003000', broadcast: true },
    'efi http': { vendor: 'HTTPClient:Arch:00016:UNDI:003001', architecture: 16, broadcast: true },
    ipxe: { vendor: 'PXEClient:Arch:00000:UNDI:002001', architecture: 0, broadcast: false, ipxe: true },
    'ipxe efi': { vendor: 'PXEClient:Arch:00007:UNDI:003010', architecture: 7, broadcast: false, ipxe: true },
    arm: { vendor: 'PXEClient:Arch:00011:UNDI:003000', architecture: 11, broadcast: true },
    system: { broadcast: true },
  };

/** iPXE's features in option 175, among them HTTP, bzImage and TFTP. */
const IPXE_FEATURES = Buffer.from('b105018086100e130101180101150101', 'hex');

/** A server's message, with its sender. */
export interface Answer extends DhcpPacket {
  readonly from: UdpEnd;
}

/** One network card of a booting machine. */
export class BootClient {
  readonly mac: Mac;
  readonly #socket: FrameSocket;
  readonly #answers: Answer[] = [];
  readonly #uuid = Buffer.alloc(16, randomInt(256));

  private constructor(netns: string, device: string) {
    const [link] = JSON.parse(inside(netns, 'ip', '-j', 'link', 'show', device));
    this.mac = parseMac(link.address);
    this.#socket = FrameSocket.open({
      link: link.ifindex,
      netns,
      filter: [{ take: true }],
      onFrame: ({ bytes }) => this.#hear(bytes),
      onError: () => {},
    });
  }

  static macOf(netns: string, device: string): Mac {
    return parseMac(JSON.parse(inside(netns, 'ip', '-j', 'link', 'show', device))[0].address);
  }

  static on(netns: string, device = 'eth0'): BootClient {
    return new BootClient(netns, device);
  }

  /** Sends one DISCOVER and does not wait for an offer. */
  ask(firmware: Firmware): void {
    this.#send(randomInt(2 ** 32 - 1), DISCOVER, firmware, []);
  }

  /** Asks each second until there are enough offers; by default one. */
  async discover(
    firmware: Firmware,
    enough: (offers: readonly Answer[]) => boolean = (o) => o.length > 0,
  ): Promise<Answer[]> {
    const xid = randomInt(2 ** 32 - 1);
    const offers = () => this.#answers.filter((answer) => answer.xid === xid);
    let sentMs = 0;
    return until(`an offer for ${firmware}`, ANSWER_MS, () => {
      if (performance.now() - sentMs > 1000) {
        sentMs = performance.now();
        this.#send(xid, DISCOVER, firmware, []);
      }
      return enough(offers()) && offers();
    });
  }

  /** Takes an offer. */
  async request(firmware: Firmware, offer: Answer): Promise<Answer> {
    const serverId = offer.options.get(OPTION.serverId) ?? Buffer.alloc(4);
    const xid = randomInt(2 ** 32 - 1);
    const address = Buffer.from(offer.yiaddr.split('.').map(Number));
    this.#send(xid, REQUEST, firmware, [
      [OPTION.requestedAddress, address],
      [OPTION.serverId, serverId],
    ]);
    return until('an ACK', ANSWER_MS, () => this.#answers.find((answer) => answer.xid === xid));
  }

  /** UEFI's second request, to port 4011, from the address that it has got. */
  async request4011(firmware: Firmware, from: Ipv4, server: UdpEnd): Promise<Answer> {
    const xid = randomInt(2 ** 32 - 1);
    this.#send(xid, REQUEST, firmware, [], { mac: this.mac, ipv4: from, port: 4011 }, { ...server, port: 4011 });
    return until('an ACK from port 4011', ANSWER_MS, () => this.#answers.find((answer) => answer.xid === xid));
  }

  /** Sends a TFTP request and ignores the answer. */
  readTftp(file: string, from: Ipv4, server: UdpEnd): void {
    const payload = Buffer.concat([Buffer.from([0, 1]), Buffer.from(`${file}\0octet\0tsize\x000\0`, 'latin1')]);
    this.#socket.send(
      encodeUdpFrame({ from: { mac: this.mac, ipv4: from, port: 2070 }, to: { ...server, port: 69 }, payload }),
    );
  }

  close(): void {
    this.#socket.close();
  }

  #hear(bytes: Buffer): void {
    const frame = decodeUdpFrame(bytes);
    if (frame === undefined || (frame.to.port !== 68 && frame.to.port !== 4011)) return;
    const packet = decodeDhcp(frame.payload);
    if (packet?.op === 2 && packet.chaddr === this.mac) this.#answers.push({ ...packet, from: frame.from });
  }

  #send(
    xid: number,
    type: number,
    firmware: Firmware,
    more: readonly (readonly [number, Uint8Array])[],
    from: UdpEnd = { mac: this.mac, ipv4: NO_IPV4, port: 68 },
    to: UdpEnd = { mac: BROADCAST_MAC, ipv4: BROADCAST_IPV4, port: 67 },
  ): void {
    const { vendor, architecture, broadcast, ipxe } = ASKS[firmware];
    const options: (readonly [number, Uint8Array])[] = [
      [OPTION.messageType, Uint8Array.of(type)],
      [OPTION.maxSize, Uint8Array.of(0x05, 0xc0)],
      [OPTION.parameterList, Uint8Array.of(1, 3, 6, 7, 12, 15, 17, 42, 43, 60, 66, 67, 175, 203)],
      ...more,
    ];
    if (architecture !== undefined) options.push([OPTION.clientArchitecture, Uint8Array.of(0, architecture)]);
    if (vendor !== undefined) {
      options.push(
        [OPTION.networkInterface, Uint8Array.of(1, 2, 1)],
        [OPTION.vendorClass, Buffer.from(vendor)],
        [OPTION.machineId, Buffer.concat([Buffer.alloc(1), this.#uuid])],
      );
    }
    if (ipxe) options.push([OPTION.userClass, Buffer.from('iPXE')], [OPTION.ipxe, IPXE_FEATURES]);
    const payload = encodeDhcp({ op: 1, xid, secs: 4, broadcast, ciaddr: from.ipv4, chaddr: this.mac, options });
    this.#socket.send(encodeUdpFrame({ from, to, payload }));
  }
}
