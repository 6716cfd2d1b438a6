/**
 * Which machine has which address of a segment. Pure. A machine keeps its address, also when its lease is over, until all
 * addresses are taken and another machine needs one. An address that another device uses is not given out.
 */
import { type Ipv4, ipv4FromNumber, ipv4ToNumber } from '../../model/address/ipv4.ts';
import { type Mac, macToBytes } from '../../model/address/mac.ts';
import type { LeaseRange } from './leases.ts';

interface Reservation {
  readonly ipv4: Ipv4;
  /** When the machine asked last; 0 before this host0 process. */
  readonly askedMs: number;
}

/** Firmware that was offered an address may take so long until it asks for it (UEFI collects offers for 4 s). */
const OFFERED_MS = 30_000;

/** The reservations of one segment. */
export class Reservations {
  readonly #range: LeaseRange;
  /** The machine that asked longest ago comes first. */
  readonly #byMac = new Map<Mac, Reservation>();
  readonly #byIpv4 = new Map<Ipv4, Mac>();
  /** Who uses an address that host0 has not given to it; the MAC is unknown if a machine has declined the address. */
  readonly #used = new Map<Ipv4, Mac | undefined>();

  /** @param known what was reserved before, the oldest first; addresses outside the range are left out */
  constructor(range: LeaseRange, known: Iterable<readonly [Mac, Ipv4]>) {
    this.#range = range;
    for (const [mac, ipv4] of known) if (this.#isInRange(ipv4) && !this.#byIpv4.has(ipv4)) this.reserve(mac, ipv4, 0);
  }

  /** All reservations, for dnsmasq. */
  get all(): (readonly [Mac, Ipv4])[] {
    return Array.from(this.#byMac, ([mac, { ipv4 }]) => [mac, ipv4] as const);
  }

  /** The addresses that other devices use. */
  get used(): ReadonlyMap<Ipv4, Mac | undefined> {
    return this.#used;
  }

  /** The address of a machine. */
  of(mac: Mac): Ipv4 | undefined {
    return this.#byMac.get(mac)?.ipv4;
  }

  /**
   * An address for a machine that has none: a free one, else that of the machine that asked longest ago and has no lease.
   * @param taken the addresses that other machines have now: by a lease, or because they are being checked
   * @param wish the address that the machine had, as it says itself
   */
  candidate(mac: Mac, nowMs: number, taken: ReadonlySet<Ipv4>, wish?: Ipv4): Ipv4 | undefined {
    // A device that had the address before host0 knew it, and asks for one now, keeps it.
    for (const [ipv4, by] of this.#used) if (by === mac && !taken.has(ipv4)) return ipv4;
    const [first, last] = [ipv4ToNumber(this.#range.first), ipv4ToNumber(this.#range.last)];
    const size = last - first + 1;
    const can = (ipv4: Ipv4) => !this.#used.has(ipv4) && !taken.has(ipv4);
    if (wish !== undefined && this.#isInRange(wish) && !this.#byIpv4.has(wish) && can(wish)) return wish;
    // The same machine begins at the same address on each host0, so it often gets its address again if the file is lost.
    const start = hashOf(mac) % size;
    for (let step = 0; step < size; step++) {
      const ipv4 = ipv4FromNumber(first + ((start + step) % size));
      if (!this.#byIpv4.has(ipv4) && can(ipv4)) return ipv4;
    }
    for (const { ipv4, askedMs } of this.#byMac.values()) {
      const isOffered = askedMs > 0 && nowMs - askedMs < OFFERED_MS;
      if (!isOffered && can(ipv4)) return ipv4;
    }
    return undefined;
  }

  /** Gives an address to a machine; the machine that had the address, if any, has none then. */
  reserve(mac: Mac, ipv4: Ipv4, nowMs: number): void {
    const holder = this.#byIpv4.get(ipv4);
    if (holder !== undefined) this.release(holder);
    this.release(mac);
    this.setFree(ipv4);
    this.#byMac.set(mac, { ipv4, askedMs: nowMs });
    this.#byIpv4.set(ipv4, mac);
  }

  /** Takes the address away from a machine. */
  release(mac: Mac): void {
    const { ipv4 } = this.#byMac.get(mac) ?? {};
    if (ipv4 === undefined) return;
    this.#byMac.delete(mac);
    this.#byIpv4.delete(ipv4);
  }

  /** Another device uses the address: it is not given out until `setFree`. */
  setUsed(ipv4: Ipv4, by: Mac | undefined): void {
    if (this.#isInRange(ipv4)) this.#used.set(ipv4, by);
  }

  /** No device uses the address any more. */
  setFree(ipv4: Ipv4): void {
    this.#used.delete(ipv4);
  }

  #isInRange(ipv4: Ipv4): boolean {
    const number = ipv4ToNumber(ipv4);
    return ipv4ToNumber(this.#range.first) <= number && number <= ipv4ToNumber(this.#range.last);
  }
}

/** FNV-1a of the MAC (RFC 9923): spreads cards whose MACs differ in few bits. */
function hashOf(mac: Mac): number {
  let hash = 0x811c9dc5;
  for (const byte of macToBytes(mac)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
