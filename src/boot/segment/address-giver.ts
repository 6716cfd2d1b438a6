/**
 * Decides which address each machine of a segment gets, before dnsmasq offers one. dnsmasq alone offers one address to several
 * machines that ask at the same time, and refuses all but one of them later. So dnsmasq knows no range, only the machines of
 * its file (host-file.ts), and does not answer a machine that it does not know. host0 hears such a machine, chooses an address,
 * asks by ARP whether a device has it already, writes the file, and repeats the machine's question to dnsmasq.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { readHostFile, writeHostFile } from '../../services/dnsmasq/host-file.ts';
import { type ArpHolder, encodeArpRequest } from '../frames/arp-packet.ts';
import type { DhcpSighting } from '../frames/sighting.ts';
import { NO_IPV4 } from '../frames/udp-frame.ts';
import type { LeaseRange, Leases } from './leases.ts';
import { Reservations } from './reservations.ts';

/** What the choice of addresses on one segment needs. */
export interface AddressGiverInput {
  readonly clock: Clock;
  /** dnsmasq's file of fixed addresses. */
  readonly file: string;
  readonly range: LeaseRange;
  /** host0's card and address on the segment. */
  readonly mac: Mac;
  readonly host0: Ipv4;
  readonly leases: Leases;
  /** Sends frames on the segment. */
  readonly watch: { send(frame: Buffer): void };
  /** Lets dnsmasq read the file again. */
  readonly reload: () => void;
  /** Puts a machine's DHCP message to dnsmasq. */
  readonly repeat: (message: Buffer) => void;
  /** Called when an address is found that another device uses. */
  readonly onUsed: (holder: ArpHolder) => void;
}

/** Two questions, so that one lost frame does not matter: the first without a sender, the second from host0's address. */
const ASK_AGAIN_MS = 100;
/** A device on the segment answers ARP within a few milliseconds; one that sleeps, or is busy, within this time. */
const ANSWER_MS = 300;
/** How long after a change the file is written: the machines of a rack ask at the same moment. */
const COALESCE_MS = 10;
/** After these times dnsmasq has read the file, unless the machine is very busy. After the last one the machine asks again. */
const REPEATS_MS = [50, 250, 1000];
/** How often a used address is asked for again, to find out whether it is free now. */
const LOOK_AGAIN_MS = 60_000;
/** The most machines that are chosen for at the same time. A stranger can make up any number of machines. */
const CHOICES_MAX = 256;
/** The most machines whose own address is remembered until they ask for one. */
const WISHES_MAX = 4096;

interface Choice {
  readonly ipv4: Ipv4;
  /** The machine's last question, as it came. */
  message: Buffer;
  /** Another device that answered for the address. */
  holder?: Mac;
}

/** The addresses of one segment where host0 is the DHCP server. */
export class AddressGiver {
  readonly #input: AddressGiverInput;
  readonly #reservations: Reservations;
  /** The machines for which an address is being checked. */
  readonly #choices = new Map<Mac, Choice>();
  /** The addresses that machines without a reservation have, as they say. */
  readonly #wishes = new Map<Mac, Ipv4>();
  /** The machines whose question is repeated until dnsmasq has answered. */
  readonly #unanswered = new Map<Mac, Buffer>();
  /** Of the used addresses: those that have answered in this round. */
  readonly #answered = new Set<Ipv4>();
  #error: MeshError | undefined;
  #look: Alarm | undefined;
  #writing: Alarm | undefined;
  #closed = false;

  /** Takes over the reservations of the file and the leases in force, and writes the file. */
  constructor(input: AddressGiverInput) {
    this.#input = input;
    this.#reservations = new Reservations(input.range, [...input.leases.readNow(), ...readHostFile(input.file)]);
    this.#write();
  }

  /** The addresses of the range that other devices use. */
  get used(): ReadonlyMap<Ipv4, Mac | undefined> {
    return this.#reservations.used;
  }

  /** Why no further machine can get an address: the file cannot be written. */
  get error(): MeshError | undefined {
    return this.#error;
  }

  /** Whether this one still fits a segment. */
  fits({ range, host0, watch }: Pick<AddressGiverInput, 'range' | 'host0' | 'watch'>): boolean {
    const own = this.#input;
    return own.watch === watch && own.host0 === host0 && isDeepStrictEqual(own.range, range);
  }

  /** A machine asks for an address. @param message its DISCOVER, the payload of the UDP datagram */
  asked(mac: Mac, message: Buffer): void {
    const { clock } = this.#input;
    if (this.#error !== undefined) this.#writeSoon();
    const present = this.#choices.get(mac);
    if (present !== undefined) {
      present.message = Buffer.from(message);
      return;
    }
    const reserved = this.#reservations.of(mac);
    if (this.#choices.size >= CHOICES_MAX) return;
    const wish = this.#wishes.get(mac);
    const ipv4 = reserved ?? this.#reservations.candidate(mac, clock.nowMs(), this.#taken(), wish);
    if (ipv4 === undefined) return;
    if (reserved !== undefined) this.#reservations.reserve(mac, reserved, clock.nowMs());
    // dnsmasq answers a machine that it knows at once. Its address is checked all the same, for the next question.
    this.#check(mac, { ipv4, message: Buffer.from(message) });
  }

  /**
   * dnsmasq has answered, or the machine says that another device uses the address that it got. A machine that host0 does not
   * know may name the address that it has: after the loss of host0's files, the machines that run keep their addresses.
   */
  see({ message, mac, ours, address, server }: DhcpSighting): void {
    if (ours === true) this.#unanswered.delete(mac);
    if (address === undefined) return;
    const reserved = this.#reservations.of(mac);
    const isOurs = (server ?? this.#input.host0) === this.#input.host0;
    if (reserved === undefined && (message === 'DISCOVER' || (message === 'REQUEST' && isOurs))) {
      this.#wish(mac, address);
    }
    if (message === 'DECLINE' && reserved === address) this.#findUsed({ ipv4: address, mac: undefined }, mac);
  }

  /** Remembers the latest wishes: made-up machines must not fill the memory for good. */
  #wish(mac: Mac, address: Ipv4): void {
    this.#wishes.delete(mac);
    const [oldest] = this.#wishes.keys();
    if (oldest !== undefined && this.#wishes.size >= WISHES_MAX) this.#wishes.delete(oldest);
    this.#wishes.set(mac, address);
  }

  /** A device has answered an ARP request. */
  hear({ ipv4, mac }: ArpHolder): void {
    for (const [asker, choice] of this.#choices) if (choice.ipv4 === ipv4 && asker !== mac) choice.holder = mac;
    if (this.used.has(ipv4) && this.#reservations.of(mac) !== ipv4) this.#answered.add(ipv4);
  }

  close(): void {
    this.#closed = true;
    if (this.#writing !== undefined) {
      this.#writing.cancel();
      this.#write();
    }
    this.#look?.cancel();
  }

  #taken(): ReadonlySet<Ipv4> {
    return new Set([...this.#choices.values(), ...this.#input.leases.inForce()].map(({ ipv4 }) => ipv4));
  }

  #check(mac: Mac, choice: Choice): void {
    const { clock, host0 } = this.#input;
    this.#choices.set(mac, choice);
    this.#ask(NO_IPV4, choice.ipv4);
    clock.after(ASK_AGAIN_MS, () => this.#ask(host0, choice.ipv4));
    clock.after(ANSWER_MS, () => this.#decide(mac, choice));
  }

  #ask(asker: Ipv4, target: Ipv4): void {
    if (!this.#closed) this.#input.watch.send(encodeArpRequest(this.#input.mac, asker, target));
  }

  #decide(mac: Mac, { ipv4, message, holder }: Choice): void {
    this.#choices.delete(mac);
    if (this.#closed) return;
    if (holder !== undefined) {
      this.#findUsed({ ipv4, mac: holder }, mac);
      this.asked(mac, message);
      return;
    }
    if (this.#reservations.of(mac) === ipv4) return;
    this.#reservations.reserve(mac, ipv4, this.#input.clock.nowMs());
    this.#wishes.delete(mac);
    this.#writeSoon();
    this.#repeat(mac, message);
  }

  /** Notes that another device uses an address, and takes the address away from a machine. */
  #findUsed({ ipv4, mac }: { readonly ipv4: Ipv4; readonly mac: Mac | undefined }, from: Mac): void {
    this.#reservations.setUsed(ipv4, mac);
    this.#answered.add(ipv4);
    if (this.#reservations.of(from) === ipv4) {
      this.#reservations.release(from);
      this.#writeSoon();
    }
    if (mac !== undefined) this.#input.onUsed({ ipv4, mac });
    this.#lookAgain();
  }

  /** Asks for each used address again, and frees those for which no device answers any more. */
  #lookAgain(): void {
    this.#look ??= this.#input.clock.after(LOOK_AGAIN_MS, () => {
      this.#look = undefined;
      for (const ipv4 of this.used.keys()) if (!this.#answered.has(ipv4)) this.#reservations.setFree(ipv4);
      this.#answered.clear();
      if (this.used.size === 0) return;
      for (const ipv4 of this.used.keys()) this.#ask(NO_IPV4, ipv4);
      this.#lookAgain();
    });
  }

  #writeSoon(): void {
    this.#writing ??= this.#input.clock.after(COALESCE_MS, () => this.#write());
  }

  #write(): void {
    this.#writing = undefined;
    try {
      writeHostFile(this.#input.file, this.#reservations.all);
      this.#error = undefined;
    } catch (cause) {
      const { file } = this.#input;
      const message = `no further machine gets an address: ${file} cannot be written: ${MeshError.from(cause).message}`;
      const remedy =
        'Make room on the disk, and see that it is mounted for writing. Each machine that asks is a further try.';
      this.#error = new MeshError('MESH_DISK_REFUSED', message, { object: file, remedy, cause, retryable: true });
      return;
    }
    this.#input.reload();
  }

  #repeat(mac: Mac, message: Buffer): void {
    this.#unanswered.set(mac, message);
    for (const afterMs of REPEATS_MS) {
      this.#input.clock.after(afterMs, () => {
        if (this.#closed || this.#unanswered.get(mac) !== message) return;
        this.#input.repeat(message);
        if (afterMs === REPEATS_MS.at(-1)) this.#unanswered.delete(mac);
      });
    }
  }
}
