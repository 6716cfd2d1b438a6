/**
 * host0's kernel as a witness: it resolved the neighbour to answer the handshake, and the VXLAN device learned the row
 * from the very packets of the request.
 */
import type { Sighting, Witness } from '../controller/witness.ts';
import type { FdbRow, Neighbour } from '../kernel/objects.ts';
import { type Ipv4, isIpv4 } from '../model/ipv4.ts';
import type { Ipv6 } from '../model/ipv6.ts';
import type { Mac } from '../model/mac.ts';
import type { Network } from '../model/network.ts';

/** The two questions; `Rtnl` answers them. */
export interface NeighbourReader {
  neighbour(link: string, address: Ipv6): Promise<Neighbour | undefined>;
  fdbRow(link: string, mac: Mac): Promise<FdbRow | undefined>;
}

export class KernelWitness implements Witness {
  readonly #reader: NeighbourReader;

  constructor(reader: NeighbourReader) {
    this.#reader = reader;
  }

  async sight({ devices }: Network, ipv6: Ipv6): Promise<Sighting> {
    const neighbour = await this.#reader.neighbour(devices.bridge, ipv6);
    const mac = neighbour?.state === 'failed' ? undefined : neighbour?.mac;
    if (mac === undefined) return {};
    const destination = (await this.#reader.fdbRow(devices.vxlan, mac))?.destination;
    return destination !== undefined && isIpv4(destination) ? { mac, ipv4: destination as Ipv4 } : { mac };
  }
}
