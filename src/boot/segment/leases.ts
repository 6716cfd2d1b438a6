/**
 * The addresses that host0 has given out on a segment, and whether one is left. dnsmasq writes its lease file before it answers.
 * So DHCP packets on the segment say when to read the file again, and it is not read while no packet is seen.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Ipv4, ipv4ToNumber } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { LeaseView } from '../../protocol/documents/boot-views.ts';
import { parseLeases } from '../../services/dnsmasq/lease-file.ts';
import type { BootSighting } from '../frames/sighting.ts';

/** The addresses that host0 gives out on a segment, both ends included. */
export interface LeaseRange {
  readonly first: Ipv4;
  readonly last: Ipv4;
}

/** How full a range is. */
export interface LeaseRoom {
  /** How many addresses the range has. */
  readonly addresses: number;
  readonly free: number;
  /** The machine that asked last, if that was in the last two minutes, no address is left, and it has none. */
  readonly refused: Mac | undefined;
}

/** How long after a packet the file is read: many machines boot at the same time. */
const COALESCE_MS = 100;
/** How long a refusal is remembered. A machine that gets no address asks again much sooner. */
const REFUSED_MS = 120_000;

/** The leases of one segment, as they were when the lease file was read last. */
export class Leases {
  readonly #file: string;
  readonly #clock: Clock;
  #known: readonly LeaseView[] = [];
  #reading: Alarm | undefined;
  /** The last DISCOVER of a machine without a lease. */
  #asked: { readonly mac: Mac; readonly atMs: number } | undefined;

  constructor(file: string, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  /** To be called with each packet on the segment: plans a reading of the file after one that may change it. */
  see(sighting: BootSighting): void {
    if (sighting.kind !== 'dhcp') return;
    const { message, mac, atMs } = sighting;
    if (message === 'DISCOVER' && !this.#known.some((lease) => lease.mac === mac)) this.#asked = { mac, atMs };
    if (message === 'ACK' || message === 'RELEASE' || message === 'DECLINE') {
      this.#reading ??= this.#clock.after(COALESCE_MS, () => {
        this.#reading = undefined;
        void this.read();
      });
    }
  }

  /** Reads the lease file at once: before host0 gives addresses on the segment. @returns the machine and address of each lease */
  readNow(): (readonly [Mac, Ipv4])[] {
    try {
      this.#known = parseLeases(readFileSync(this.#file, 'utf8'), this.#clock.wallTime());
    } catch {
      // There is no file before the first lease.
    }
    return this.#known.map(({ mac, ipv4 }) => [mac, ipv4] as const);
  }

  /** Reads the lease file. @returns the leases in force now; none if there is no file */
  async read(): Promise<readonly LeaseView[]> {
    this.#known = parseLeases(await readFile(this.#file, 'utf8').catch(() => ''), this.#clock.wallTime());
    return this.#known;
  }

  /** The leases of the last reading that have not expired since. */
  inForce(): readonly LeaseView[] {
    const now = this.#clock.wallTime();
    return this.#known.filter(({ expires }) => new Date(expires) > now);
  }

  /** How full a range is. @param used how many of its addresses other devices use */
  room({ first, last }: LeaseRange, used = 0): LeaseRoom {
    const [from, to] = [ipv4ToNumber(first), ipv4ToNumber(last)];
    const given = this.inForce().filter(({ ipv4 }) => from <= ipv4ToNumber(ipv4) && ipv4ToNumber(ipv4) <= to);
    const addresses = to - from + 1;
    const free = Math.max(0, addresses - given.length - used);
    const { mac, atMs = Number.NEGATIVE_INFINITY } = this.#asked ?? {};
    const isRefused =
      free === 0 && this.#clock.nowMs() - atMs < REFUSED_MS && !given.some((lease) => lease.mac === mac);
    return { addresses, free, refused: isRefused ? mac : undefined };
  }

  close(): void {
    this.#reading?.cancel();
  }
}
