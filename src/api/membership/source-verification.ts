/**
 * host0's kernel as a verification: it resolved the neighbour to answer the handshake, and the VXLAN device learned the entry
 * from the very packets of the request. A question waits for a lock of the whole machine, and a thousand members report
 * every three seconds; so what it answered holds until the kernel tells of a change.
 */
import type { SourceVerification, VerifiedSource } from '../../controller/membership/source-verification.ts';
import type { Ip } from '../../kernel/ip.ts';
import type { FdbEntry, KernelEvent, Neighbour } from '../../kernel/rtnl/objects.ts';
import { isIpv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { Network } from '../../model/network/network.ts';

/** The two questions; `Rtnl` answers them. */
export interface NeighbourReader {
  neighbour(link: string, address: Ipv6): Promise<Neighbour | undefined>;
  fdbEntry(link: string, mac: Mac): Promise<FdbEntry | undefined>;
}

/** More than any host0 has members; whoever invents addresses fills no memory. */
const REMEMBERED_MAX = 10_000;

export class KernelSourceVerification implements SourceVerification {
  readonly #reader: NeighbourReader;
  readonly #drain: () => void;
  readonly #sightings = new Map<Ipv6, Required<VerifiedSource>>();
  /** Whose sighting has this Ethernet address. */
  readonly #owners = new Map<Mac, Ipv6>();
  /** Grows with whatever may make an answer that is under way an old one. */
  #changes = 0;

  /** @param drain brings all events to `take` that the kernel has told of so far */
  constructor(reader: NeighbourReader, drain: () => void) {
    this.#reader = reader;
    this.#drain = drain;
  }

  /** Forgets what the event may have changed. */
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
        this.#sightings.clear();
        this.#owners.clear();
        return;
      case 'address':
      case 'route':
      case 'port':
      case 'nft':
        return;
    }
  }

  async verify({ devices }: Network, ipv6: Ipv6): Promise<VerifiedSource> {
    // The packets of the request may have changed what was so before.
    this.#drain();
    const known = this.#sightings.get(ipv6);
    if (known !== undefined) return known;
    const changes = this.#changes;
    const neighbour = await this.#reader.neighbour(devices.bridge, ipv6);
    const mac = neighbour?.state === 'failed' ? undefined : neighbour?.mac;
    if (mac === undefined) return {};
    const ipv4 = (await this.#reader.fdbEntry(devices.vxlan, mac))?.remoteVtep;
    if (ipv4 === undefined || !isIpv4(ipv4)) return { mac };
    const sighting = { mac, ipv4 };
    if (changes === this.#changes) this.#remember(ipv6, sighting);
    return sighting;
  }

  #remember(ipv6: Ipv6, sighting: Required<VerifiedSource>): void {
    const { mac } = sighting;
    if (this.#sightings.size >= REMEMBERED_MAX || (this.#owners.get(mac) ?? ipv6) !== ipv6) return;
    this.#sightings.set(ipv6, sighting);
    this.#owners.set(mac, ipv6);
  }

  #forget(address: Ip | undefined): void {
    const ipv6 = address as Ipv6;
    const mac = this.#sightings.get(ipv6)?.mac;
    if (mac === undefined) return;
    this.#sightings.delete(ipv6);
    this.#owners.delete(mac);
  }
}
