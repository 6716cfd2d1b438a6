/** The guests of networks that host0 knows by their ports: each with its Ethernet and IP addresses, and its name. */
import { isDeepStrictEqual } from 'node:util';
import type { Mac } from '../../model/address/mac.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { isHostName } from '../../model/network/services/host-name.ts';
import type { PortBook } from '../ports/port-book.ts';
import type { PlacedPort } from '../ports/port-record.ts';

/** A guest of a network. */
export interface NamedGuest {
  readonly mac: Mac;
  readonly addresses: NonNullable<PlacedPort['addresses']>;
  /** That of its virtual machine, or of its port, where that can be the name of a host. */
  readonly name?: string;
}

const NOBODY: readonly NamedGuest[] = [];

/** Knows the guests of each network. The list of a network is the same object until one of its guests is another. */
export class GuestNames {
  readonly #ports: Pick<PortBook, 'all' | 'changes'>;
  #byNetwork: ReadonlyMap<NetworkId, readonly NamedGuest[]> = new Map();
  #isStale = true;

  constructor(ports: Pick<PortBook, 'all' | 'changes'>) {
    this.#ports = ports;
    ports.changes.subscribe(() => {
      this.#isStale = true;
    });
  }

  of(network: NetworkId): readonly NamedGuest[] {
    if (this.#isStale) {
      const before = this.#byNetwork;
      const groups = Map.groupBy(this.#ports.all, (port) => port.network);
      this.#byNetwork = new Map(
        Array.from(groups, ([id, ports]) => {
          const [now, known] = [ports.map(guestOf), before.get(id)];
          return [id, isDeepStrictEqual(now, known) && known !== undefined ? known : now];
        }),
      );
      this.#isStale = false;
    }
    return this.#byNetwork.get(network) ?? NOBODY;
  }
}

function guestOf({ mac, addresses = [], name, vm }: PlacedPort): NamedGuest {
  const known = (vm ?? name)?.toLowerCase();
  return { mac, addresses, ...(known !== undefined && isHostName(known) && { name: known }) };
}
