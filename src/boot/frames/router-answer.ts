/**
 * Answers the router solicitations of iPXE. iPXE tries IPv6 beside DHCP and waits up to 16 s for a router; this answer saves
 * it the wait. The answer is an advertisement that offers nothing (RFC 4861 §4.2: lifetime 0, no prefix). It is sent by
 * unicast to the machine that asked, and only while the machine's own DHCP packets show that iPXE runs there. Real routers
 * are given the time to answer first, because iPXE takes the first answer. An operating system takes a router's
 * advertisement whenever it comes.
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

/** The ICMPv6 type of a router solicitation (RFC 4861 §4.1). */
export const SOLICITATION = 133;
const ADVERTISEMENT = 134;
/** Type, code, checksum, hop limit, flags, lifetime and two times. All but the type are 0, which means "not specified". */
const EMPTY_ADVERTISEMENT = Buffer.alloc(16).fill(ADVERTISEMENT, 0, 1);

/** The MAC of the all-routers group (ff02::2), to which solicitations are sent. */
export const ROUTERS_MAC = groupMac('ff02::2' as Ipv6);

/** A router may wait 500 ms before it answers (RFC 4861 §6.2.6, MAX_RA_DELAY_TIME); 100 ms more for the way. */
const ROUTERS_FIRST_MS = 600;
/** iPXE asks for a router and for an address at the same moment, in either order. */
const BOTH_ASKED_MS = 50;
/** iPXE asks for no longer than this. A system that starts after iPXE first sends a DHCP packet of its own. */
const IPXE_MS = 20_000;
/** The most machines that are remembered or waiting, so that made-up MACs do not fill the memory. */
const MACHINES_MAX = 2000;

/** What the answers on one segment need. */
export interface RouterAnswerInput {
  /** The MAC of host0's NIC or bridge on the segment. */
  readonly mac: Mac;
  readonly clock: Clock;
  /** Sends a whole Ethernet frame on the segment. */
  readonly send: (frame: Buffer) => void;
}

/** The answers to iPXE's router solicitations on one segment. */
export class RouterAnswer {
  readonly #input: RouterAnswerInput;
  /** The time of the last DHCP packet from iPXE, by machine; the latest at the end. */
  readonly #ipxe = new Map<Mac, number>();
  /** Solicitations that wait for their answer. */
  readonly #asking = new Map<Mac, Alarm>();

  constructor(input: RouterAnswerInput) {
    this.#input = input;
  }

  /** Notes from a DHCP packet of a machine whether iPXE runs there now. */
  see(sighting: BootSighting): void {
    if (sighting.kind !== 'dhcp' || sighting.client === undefined) return;
    const { mac, client, atMs } = sighting;
    this.#ipxe.delete(mac);
    if (client === 'ipxe') this.#ipxe.set(mac, atMs);
    const [oldest] = this.#ipxe.keys();
    if (this.#ipxe.size > MACHINES_MAX && oldest !== undefined) this.#ipxe.delete(oldest);
  }

  /**
   * Answers a solicitation, after a delay.
   * @param alone host0 is the only server on the segment, so there is no router to wait for
   */
  asked(by: NeighbourEnd, alone: boolean): void {
    if (this.#asking.has(by.mac) || this.#asking.size >= MACHINES_MAX) return;
    const alarm = this.#input.clock.after(alone ? BOTH_ASKED_MS : ROUTERS_FIRST_MS, () => {
      this.#asking.delete(by.mac);
      if (this.#runsIpxe(by.mac)) this.#answer(by);
    });
    this.#asking.set(by.mac, alarm);
  }

  /** Cancels all answers that wait. */
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

/**
 * The sender of a router solicitation.
 * @returns undefined for any other frame, and for a sender without a link-local address
 */
export function solicitorOf(frame: Buffer): NeighbourEnd | undefined {
  const messageAt = ETHERNET_BYTES + IPV6_BYTES;
  if (frame.length < messageAt + 8 || frame.readUInt16BE(12) !== ETHERTYPE.ipv6) return undefined;
  const header = frame.subarray(ETHERNET_BYTES, messageAt);
  if (header[6] !== IP_PROTOCOL.icmpv6 || header[7] !== HOP_LIMIT || frame[messageAt] !== SOLICITATION)
    return undefined;
  const ipv6 = ipv6FromBytes(header.subarray(8, 24));
  return ipv6.startsWith('fe80:') ? { mac: sourceMac(frame), ipv6 } : undefined;
}
