/**
 * iPXE, which tries IPv6 beside DHCP, waits up to 16 s for any router to speak; here it need not. It is answered with an
 * advertisement that offers nothing (RFC 4861 §4.2: lifetime 0, no prefix), and nobody else on the segment hears of that: it
 * goes to the one machine that asked, and only while iPXE runs there, by its own DHCP packets. Routers that are there
 * are left the time to answer first: iPXE takes the first answer, and every system takes theirs whenever it comes.
 */
import { ETHERNET_BYTES, ETHERTYPE, IP_PROTOCOL, IPV6_BYTES, sourceMac } from '../../kernel/sockets/ethernet.ts';
import {
  encodeNeighbourFrame,
  groupMac,
  HOP_LIMIT,
  linkLocalOf,
  type NeighbourEnd,
} from '../../kernel/sockets/neighbour-frame.ts';
import { type Ipv6, ipv6FromBytes } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { BootSighting } from './sighting.ts';

export const SOLICITATION = 133;
const ADVERTISEMENT = 134;
/** Type, code, checksum, hop limit, flags, lifetime and two times: all but the type are 0, that is, not said. */
const EMPTY_ADVERTISEMENT = Buffer.alloc(16).fill(ADVERTISEMENT, 0, 1);

/** All routers (ff02::2), whom solicitations are sent to. */
export const ROUTERS_MAC = groupMac('ff02::2' as Ipv6);

/** So long a router may take its time (RFC 4861 §6.2.6, MAX_RA_DELAY_TIME), and some more on the way. */
const ROUTERS_FIRST_MS = 600;
/** iPXE asks for a router and for an address in the same moment, in either order. */
const BOTH_ASKED_MS = 50;
/** iPXE asks for no longer; what starts after it asks for an address in its own name first. */
const IPXE_MS = 20_000;
/** Strangers make no more work than this. */
const MACHINES_MAX = 2000;

export interface RouterAnswerInput {
  /** Of the port. */
  readonly mac: Mac;
  readonly clock: Clock;
  readonly send: (frame: Buffer) => void;
}

export class RouterAnswer {
  readonly #input: RouterAnswerInput;
  /** When iPXE on a machine spoke DHCP last, the latest at the end. */
  readonly #ipxe = new Map<Mac, number>();
  readonly #asking = new Map<Mac, Alarm>();

  constructor(input: RouterAnswerInput) {
    this.#input = input;
  }

  /** Who runs on a machine is seen from what it sends. */
  see(sighting: BootSighting): void {
    if (sighting.kind !== 'dhcp' || sighting.client === undefined) return;
    const { mac, client, atMs } = sighting;
    this.#ipxe.delete(mac);
    if (client === 'ipxe') this.#ipxe.set(mac, atMs);
    const [oldest] = this.#ipxe.keys();
    if (this.#ipxe.size > MACHINES_MAX && oldest !== undefined) this.#ipxe.delete(oldest);
  }

  /** @param alone host0 is the only server of the segment: there is no router either that is to be left time */
  asked(by: NeighbourEnd, alone: boolean): void {
    if (this.#asking.has(by.mac) || this.#asking.size >= MACHINES_MAX) return;
    const alarm = this.#input.clock.after(alone ? BOTH_ASKED_MS : ROUTERS_FIRST_MS, () => {
      this.#asking.delete(by.mac);
      if (this.#runsIpxe(by.mac)) this.#answer(by);
    });
    this.#asking.set(by.mac, alarm);
  }

  close(): void {
    for (const alarm of this.#asking.values()) alarm.cancel();
    this.#asking.clear();
  }

  #runsIpxe(mac: Mac): boolean {
    return this.#input.clock.nowMs() - (this.#ipxe.get(mac) ?? Number.NEGATIVE_INFINITY) < IPXE_MS;
  }

  #answer(to: NeighbourEnd): void {
    const { mac, send } = this.#input;
    send(encodeNeighbourFrame({ mac, ipv6: linkLocalOf(mac) }, to, EMPTY_ADVERTISEMENT));
  }
}

/** @returns who asks for a router, from an address of its own; undefined for any other frame */
export function solicitorOf(frame: Buffer): NeighbourEnd | undefined {
  const messageAt = ETHERNET_BYTES + IPV6_BYTES;
  if (frame.length < messageAt + 8 || frame.readUInt16BE(12) !== ETHERTYPE.ipv6) return undefined;
  const header = frame.subarray(ETHERNET_BYTES, messageAt);
  if (header[6] !== IP_PROTOCOL.icmpv6 || header[7] !== HOP_LIMIT || frame[messageAt] !== SOLICITATION)
    return undefined;
  const ipv6 = ipv6FromBytes(header.subarray(8, 24));
  return ipv6.startsWith('fe80:') ? { mac: sourceMac(frame), ipv6 } : undefined;
}
