/**
 * Source verification with host0's kernel. The kernel has resolved the sender's neighbour entry to answer the TCP
 * handshake, and the VXLAN device has learnt the FDB entry from packets of the request. The bridge has learnt whether the
 * packets came from the VXLAN at all: frames of a guest on host0 leave the VXLAN's entry as it was.
 *
 * A query waits for a lock of the whole machine, and a thousand members report every three seconds. So answers are kept
 * until the kernel announces a change.
 */
import type { SourceVerification, VerifiedSource } from '../../controller/membership/source-verification.ts';
import type { Ip } from '../../kernel/ip.ts';
import type { FdbEntry, KernelEvent, Neighbour } from '../../kernel/rtnl/objects.ts';
import { isIpv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';

/** The queries to the kernel; `Rtnl` answers the first two. */
export interface NeighbourReader {
  neighbour(link: string, address: Ipv6): Promise<Neighbour | undefined>;
  /** The entry of `link` itself, or the one of the bridge that `link` is a port of, whichever port it names. */
  fdbEntry(link: string, mac: Mac, table: FdbEntry['table']): Promise<FdbEntry | undefined>;
  /** The name of the link with this ifindex. */
  nameOf(index: number): string | undefined;
}

/** A sender whose packets came through the mesh. */
type Remote = Required<Pick<VerifiedSource, 'mac' | 'ipv4'>>;

/** More than host0 can have members. A sender that makes up addresses cannot fill the memory. */
const REMEMBERED_MAX = 10_000;

/** Queries host0's kernel, and keeps the answers. */
export class KernelSourceVerification implements SourceVerification {
  readonly #reader: NeighbourReader;
  readonly #drain: () => void;
  readonly #sources = new Map<Ipv6, Remote>();
  /** The IPv6 whose kept answer has this Ethernet address. */
  readonly #owners = new Map<Mac, Ipv6>();
  readonly #doubts = new Signal<Ipv6>();
  /** Emits the address of a sender whose kept answer may be wrong. The next emission for that address follows the next `verify`. */
  readonly doubts: Subscribable<Ipv6> = this.#doubts;
  /** Counts changes: an answer that was under way during one is not kept. */
  #changes = 0;

  /** @param drain calls `take` with all events that the kernel has sent so far */
  constructor(reader: NeighbourReader, drain: () => void) {
    this.#reader = reader;
    this.#drain = drain;
  }

  /** Forgets the answers that the event may have made wrong. */
  take(event: KernelEvent): void {
    switch (event.type) {
      case 'neighbour':
        this.#changes++;
        this.#forget(event.neighbour.address);
        return;
      case 'fdb':
        this.#changes++;
        this.#forget(this.#owners.get(event.entry.mac));
        return;
      case 'link':
      case 'overflow':
        this.#changes++;
        this.#forgetAll();
        return;
      case 'address':
      case 'route':
      case 'port':
      case 'nft':
        return;
    }
  }

  async verify({ bridge, type }: Mesh, ipv6: Ipv6): Promise<VerifiedSource> {
    // The packets of this request may have changed the kernel's entries.
    this.#drain();
    const known = this.#sources.get(ipv6);
    if (known !== undefined) return known;
    const changes = this.#changes;
    const neighbour = await this.#reader.neighbour(bridge.name, ipv6);
    const mac = neighbour?.state === 'failed' ? undefined : neighbour?.mac;
    if (mac === undefined) return {};
    const [ipv4, localPort] = await Promise.all([
      this.#reader.fdbEntry(type.device, mac, 'self').then((entry) => entry?.remoteVtep),
      this.#localPort(type.device, mac),
    ]);
    if (localPort !== undefined) return { mac, localPort };
    if (ipv4 === undefined || !isIpv4(ipv4)) return { mac };
    const source = { mac, ipv4 };
    if (changes === this.#changes) this.#remember(ipv6, source);
    return source;
  }

  /** The port of host0's bridge that the address is at, unless it is the VXLAN. */
  async #localPort(vxlan: string, mac: Mac): Promise<string | undefined> {
    const entry = await this.#reader.fdbEntry(vxlan, mac, 'master');
    if (entry === undefined) return undefined;
    const port = this.#reader.nameOf(entry.link) ?? `the device with index ${entry.link}`;
    return port === vxlan ? undefined : port;
  }

  #remember(ipv6: Ipv6, source: Remote): void {
    const { mac } = source;
    if (this.#sources.size >= REMEMBERED_MAX || (this.#owners.get(mac) ?? ipv6) !== ipv6) return;
    this.#sources.set(ipv6, source);
    this.#owners.set(mac, ipv6);
  }

  #forget(address: Ip | undefined): void {
    const ipv6 = address as Ipv6;
    const mac = this.#sources.get(ipv6)?.mac;
    if (mac === undefined) return;
    this.#sources.delete(ipv6);
    this.#owners.delete(mac);
    this.#doubts.emit(ipv6);
  }

  #forgetAll(): void {
    const all = [...this.#sources.keys()];
    this.#sources.clear();
    this.#owners.clear();
    for (const ipv6 of all) this.#doubts.emit(ipv6);
  }
}
