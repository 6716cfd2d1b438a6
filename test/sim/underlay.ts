/** The simulated physical network: which machine gets a packet, and how long the packet takes. */
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet } from '../../src/model/address/ipv4.ts';
import type { SimKernel } from './sim-kernel.ts';

/** A machine on the underlay. */
export interface Station {
  readonly name: string;
  readonly kernel: SimKernel;
  /** Its power is on. */
  readonly on: boolean;
}

/** The faults of packets to and from one machine. */
interface Trouble {
  /** Probability that a packet is lost, 0 to 1. */
  loss: number;
  /** Added to the time of each packet. */
  delayMs: number;
  /** Packets pass only between machines with the same side: a partition gives some machines another side. */
  side: number;
}

const SOUND: Readonly<Trouble> = { loss: 0, delayMs: 0, side: 0 };
/** One way over a switch, with the delays of two kernels and two processes. */
const ONE_WAY_MS = { least: 0.15, spread: 0.2 };

/** All segments, with host0 as the router between them. */
export class Underlay {
  readonly stations: Station[] = [];
  /** Machines by address; computed at the next packet after a change. */
  #byIpv4: Map<Ipv4, Station> | undefined;
  readonly #troubles = new Map<string, Trouble>();
  readonly #random: () => number;
  readonly #segments: readonly Ipv4Cidr[];
  #host0: Station | undefined;
  /** Number of VXLAN packets sent. */
  packets = 0;

  constructor(segments: readonly Ipv4Cidr[], random: () => number) {
    this.#segments = segments;
    this.#random = random;
  }

  add(station: Station, role: 'host0' | 'node'): void {
    this.stations.push(station);
    this.addressed();
    if (role === 'host0') this.#host0 = station;
  }

  remove(station: Station): void {
    this.stations.splice(this.stations.indexOf(station), 1);
    this.addressed();
  }

  /** To be called when the IPv4 addresses of a machine have changed. */
  addressed(): void {
    this.#byIpv4 = undefined;
  }

  troubleOf(name: string): Trouble {
    let trouble = this.#troubles.get(name);
    if (trouble === undefined) {
      trouble = { ...SOUND };
      this.#troubles.set(name, trouble);
    }
    return trouble;
  }

  heal(name: string): void {
    this.#troubles.delete(name);
  }

  /** The random time that a packet takes from one machine to another. */
  oneWayMs(from: string, to: string): number {
    const extra = (this.#troubles.get(from)?.delayMs ?? 0) + (this.#troubles.get(to)?.delayMs ?? 0);
    return ONE_WAY_MS.least + this.#random() * ONE_WAY_MS.spread + extra * (0.5 + this.#random());
  }

  /** Sends one packet. @returns the machine that gets it */
  send(from: Station, source: Ipv4, destination: Ipv4): Station | undefined {
    this.packets++;
    if (!from.on || !from.kernel.hasIpv4(source)) return undefined;
    const to = this.#holderOf(destination);
    if (to === undefined || to === from || !to.on || !this.#passes(from, to)) return undefined;
    const hop = from.kernel.nextHop(destination);
    if (hop === undefined) return undefined;
    if (hop === destination) return this.#sameSegment(source, destination) ? to : undefined;
    return this.#forwards(from, hop, source, destination, to) ? to : undefined;
  }

  #holderOf(ipv4: Ipv4): Station | undefined {
    this.#byIpv4 ??= new Map(
      this.stations.flatMap((station) => station.kernel.ipv4s().map((own) => [own, station] as const)),
    );
    return this.#byIpv4.get(ipv4);
  }

  #sameSegment(a: Ipv4, b: Ipv4): boolean {
    return this.#segments.some((segment) => ipv4InSubnet(a, segment) && ipv4InSubnet(b, segment));
  }

  /** Whether host0 forwards the packet to its segment: only when forwarding is on in its kernel. */
  #forwards(from: Station, hop: Ipv4, source: Ipv4, destination: Ipv4, to: Station): boolean {
    const router = this.#host0;
    if (router === undefined || !router.on || !router.kernel.hasIpv4(hop)) return false;
    if (!this.#passes(from, router) || !this.#passes(router, to) || !this.#sameSegment(source, hop)) return false;
    return router.kernel.forwards(source) && router.kernel.nextHop(destination) === destination;
  }

  #passes(from: Station, to: Station): boolean {
    const [a, b] = [this.#troubles.get(from.name) ?? SOUND, this.#troubles.get(to.name) ?? SOUND];
    if (a.side !== b.side) return false;
    const loss = 1 - (1 - a.loss) * (1 - b.loss);
    return loss === 0 || this.#random() >= loss;
  }
}
