/**
 * A guest that waits for a network: a namespace whose device is put under the network's bridge as soon as that is there, and asks
 * for an address and for a name until both are answered.
 */

import { type TemporaryNetns, temporaryNetns } from '../src/kernel/netns.ts';
import { Rtnl } from '../src/kernel/rtnl/rtnl.ts';
import { ETHERTYPE, encodeEthernet, IP_PROTOCOL } from '../src/kernel/sockets/ethernet.ts';
import { FrameSocket } from '../src/kernel/sockets/frame-socket.ts';
import { internetChecksum } from '../src/kernel/sockets/icmp.ts';
import { type Ipv4, ipv4ToBytes, parseIpv4 } from '../src/model/address/ipv4.ts';
import { parseIpv6 } from '../src/model/address/ipv6.ts';
import { type Mac, macToBytes, parseMac } from '../src/model/address/mac.ts';
import { batch } from './place.ts';

/** What is served: one network at a time, on either side. */
export const SERVED = {
  bridge: 'virbr77',
  bridgeMac: parseMac('52:54:00:be:00:01'),
  gateway: '192.168.150.1',
  guestMac: parseMac('02:be:00:00:00:01'),
  guest: '192.168.150.2',
  gateway6: parseIpv6('fd98::1'),
  guest6: parseIpv6('fd98::2'),
} as const;

const BROADCAST = { mac: parseMac('ff:ff:ff:ff:ff:ff'), ipv4: parseIpv4('255.255.255.255') };
const NOWHERE = parseIpv4('0.0.0.0');
const EVERY_MS = 1;
const DEADLINE_MS = 30_000;
const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const UDP_BYTES = 8;
const BOOTP_BYTES = 300;
const OPTIONS_AT = 240;
const PORT = { dhcpServer: 67, dhcpClient: 68, dns: 53, asker: 53_535 } as const;
const OFFER = 2;

type End = {
  readonly mac: ReturnType<typeof parseMac>;
  readonly ipv4: ReturnType<typeof parseIpv4>;
  readonly port: number;
};

/** When a network was there, in milliseconds of `performance.now()`. */
export interface Served {
  readonly bridgeMs: number;
  readonly dhcpMs: number;
  readonly dnsMs: number;
}

/** One guest of one daemon's namespace. */
export class ServedGuest implements AsyncDisposable {
  readonly #place: TemporaryNetns;
  readonly #rtnl: Rtnl;
  readonly #socket: FrameSocket;
  #heard: (service: 'dhcp' | 'dns') => void = () => undefined;

  private constructor(place: TemporaryNetns, rtnl: Rtnl, link: number) {
    this.#place = place;
    this.#rtnl = rtnl;
    this.#socket = FrameSocket.open({
      ...{ link, filter: [{ take: true }], netns: place.path },
      onFrame: ({ bytes }) => this.#take(bytes),
      onError: () => undefined,
    });
  }

  /** @param netns of the daemon */
  static async open(netns: string): Promise<ServedGuest> {
    const place = temporaryNetns();
    batch(netns, 'ip', [`link add bench0 type veth peer name eth0 netns ${place.path}`, 'link set bench0 up']);
    batch(place.path, 'ip', [
      `link set eth0 address ${SERVED.guestMac} up`,
      `address add ${SERVED.guest}/24 dev eth0`,
      `address add ${SERVED.guest6}/64 dev eth0 nodad`,
    ]);
    const inside = await Rtnl.open({ netns: place.path });
    const eth0 = (await inside.links()).find(({ name }) => name === 'eth0');
    await inside.close();
    if (eth0 === undefined) throw new Error('the guest has no eth0');
    return new ServedGuest(place, await Rtnl.open({ netns }), eth0.index);
  }

  /** Its namespace. */
  get netns(): string {
    return this.#place.path;
  }

  /** Waits until the network answers the guest. */
  async served(signal: AbortSignal): Promise<Served> {
    const at = { dhcp: 0, dns: 0 };
    this.#heard = (service) => {
      at[service] ||= performance.now();
    };
    const giveUpAt = performance.now() + DEADLINE_MS;
    while (!(await this.#plug())) await pause(giveUpAt, signal);
    const bridgeMs = performance.now();
    while (at.dhcp === 0 || at.dns === 0) {
      if (at.dhcp === 0) this.#socket.send(discover());
      if (at.dns === 0) for (const frame of [ARP_QUESTION, question()]) this.#socket.send(frame);
      await pause(giveUpAt, signal);
    }
    return { bridgeMs, dhcpMs: at.dhcp, dnsMs: at.dns };
  }

  /** Waits until the bridge is gone. */
  async alone(signal: AbortSignal): Promise<void> {
    const giveUpAt = performance.now() + DEADLINE_MS;
    while ((await this.#rtnl.links()).some(({ name }) => name === SERVED.bridge)) await pause(giveUpAt, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#rtnl.close();
    this.#place.close();
  }

  async #plug(): Promise<boolean> {
    const [refusal] = await this.#rtnl.apply([
      { do: 'link-set', link: 'bench0', change: { master: SERVED.bridge, up: true } },
    ]);
    return refusal === undefined;
  }

  #take(frame: Buffer): void {
    if (frame.length < ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES || frame.readUInt16BE(12) !== ETHERTYPE.ipv4) return;
    if (frame[ETHERNET_BYTES + 9] !== IP_PROTOCOL.udp) return;
    const from = frame.readUInt16BE(ETHERNET_BYTES + IPV4_BYTES);
    if (from === PORT.dns) this.#heard('dns');
    const message = frame.subarray(ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES);
    // The kind of the message is the first option of all that dnsmasq sends.
    if (from === PORT.dhcpServer && message[OPTIONS_AT + 2] === OFFER) this.#heard('dhcp');
  }
}

async function pause(giveUpAt: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (performance.now() > giveUpAt) throw new Error(`the network is not served within ${DEADLINE_MS} ms`);
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
}

/** A guest asks for the address of its gateway first: the gateway then knows that of the guest, and answers at once. */
const ARP_QUESTION = arpRequest(SERVED.guestMac, parseIpv4(SERVED.guest), parseIpv4(SERVED.gateway));

function discover(): Buffer {
  const message = Buffer.alloc(BOOTP_BYTES);
  message.set([1, 1, 6, 0]);
  message.writeUInt32BE(0x6d657368, 4);
  message.writeUInt16BE(0x8000, 10);
  message.set(macToBytes(SERVED.guestMac), 28);
  message.set([99, 130, 83, 99, 53, 1, 1, 255], OPTIONS_AT - 4);
  const { mac } = BROADCAST;
  return udpFrame(
    { mac: SERVED.guestMac, ipv4: NOWHERE, port: PORT.dhcpClient },
    { mac, ipv4: BROADCAST.ipv4, port: PORT.dhcpServer },
    message,
  );
}

/** Asks for the address of the guest by its name, which the resolver of the network knows. */
function question(): Buffer {
  const message = Buffer.from([0x6d, 0x65, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 5, ...Buffer.from('guest'), 0, 0, 1, 0, 1]);
  return udpFrame(
    { mac: SERVED.guestMac, ipv4: parseIpv4(SERVED.guest), port: PORT.asker },
    { mac: SERVED.bridgeMac, ipv4: parseIpv4(SERVED.gateway), port: PORT.dns },
    message,
  );
}

function arpRequest(mac: Mac, from: Ipv4, target: Ipv4): Buffer {
  const head = [0, 1, 8, 0, 6, 4, 0, 1];
  const body = [...head, ...macToBytes(mac), ...ipv4ToBytes(from), 0, 0, 0, 0, 0, 0, ...ipv4ToBytes(target)];
  return encodeEthernet({ from: mac, to: BROADCAST.mac, type: ETHERTYPE.arp }, Buffer.from(body));
}

function udpFrame(from: End, to: End, message: Buffer): Buffer {
  const header = Buffer.alloc(IPV4_BYTES + UDP_BYTES);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(header.length + message.length, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(IP_PROTOCOL.udp, 9);
  header.set(ipv4ToBytes(from.ipv4), 12);
  header.set(ipv4ToBytes(to.ipv4), 16);
  header.writeUInt16BE(internetChecksum(header.subarray(0, IPV4_BYTES)), 10);
  header.writeUInt16BE(from.port, IPV4_BYTES);
  header.writeUInt16BE(to.port, IPV4_BYTES + 2);
  header.writeUInt16BE(UDP_BYTES + message.length, IPV4_BYTES + 4);
  return encodeEthernet({ from: from.mac, to: to.mac, type: ETHERTYPE.ipv4 }, Buffer.concat([header, message]));
}
