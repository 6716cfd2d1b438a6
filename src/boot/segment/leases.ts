/**
 * The addresses that host0 has given out on a segment, and whether one is left. dnsmasq keeps them in a file, and writes it
 * before it answers: what passes on the segment says when to read it again, and nothing is read while nothing happens.
 */
import { readFile } from 'node:fs/promises';
import { type Ipv4, ipv4ToNumber } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import type { LeaseView } from '../../protocol/documents/boot-views.ts';
import { parseLeases } from '../../services/dnsmasq/lease-file.ts';
import type { BootSighting } from '../frames/sighting.ts';

export interface LeaseRange {
  readonly first: Ipv4;
  readonly last: Ipv4;
}

export interface LeaseRoom {
  readonly addresses: number;
  readonly free: number;
  /** Who asked lately for an address when there was none. */
  readonly refused: Mac | undefined;
}

/** Machines boot in crowds. */
const COALESCE_MS = 100;
/** Who gets no address asks again much sooner. */
const REFUSED_MS = 120_000;

export class Leases {
  readonly #file: string;
  readonly #clock: Clock;
  #known: readonly LeaseView[] = [];
  #reading: Alarm | undefined;
  #asked: { readonly mac: Mac; readonly atMs: number } | undefined;

  constructor(file: string, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

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

  /** Those that are in force now. */
  async read(): Promise<readonly LeaseView[]> {
    this.#known = parseLeases(await readFile(this.#file, 'utf8').catch(() => ''), this.#clock.wallTime());
    return this.#known;
  }

  /** As it was when they were read last, less what has run out since. */
  room({ first, last }: LeaseRange): LeaseRoom {
    const [from, to] = [ipv4ToNumber(first), ipv4ToNumber(last)];
    const now = this.#clock.wallTime();
    const given = this.#known.filter(
      ({ ipv4, expires }) => from <= ipv4ToNumber(ipv4) && ipv4ToNumber(ipv4) <= to && new Date(expires) > now,
    );
    const addresses = to - from + 1;
    const free = addresses - given.length;
    const { mac, atMs = Number.NEGATIVE_INFINITY } = this.#asked ?? {};
    const isRefused =
      free === 0 && this.#clock.nowMs() - atMs < REFUSED_MS && !given.some((lease) => lease.mac === mac);
    return { addresses, free, refused: isRefused ? mac : undefined };
  }

  close(): void {
    this.#reading?.cancel();
  }
}
