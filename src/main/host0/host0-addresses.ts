/** Composes the address management of host0. */
import { join } from 'node:path';
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import { AddressBook } from '../../controller/ipam/address-book.ts';
import { AddressOrders } from '../../controller/ipam/address-orders.ts';
import { addIpamMetrics } from '../../controller/ipam/ipam-metrics.ts';
import { NetworkBlocks } from '../../controller/ipam/network-blocks.ts';
import type { PortBook } from '../../controller/ports/port-book.ts';
import type { WorkloadOrders } from '../../controller/workloads/workload-orders.ts';
import type { Registry } from '../../metrics/registry.ts';
import { ipRange, rangeHolds } from '../../model/address/ip-range.ts';
import type { Clock } from '../../model/clock.ts';
import type { Network } from '../../model/network/network.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { askAllocatorIn } from '../../services/hook/allocators.ts';
import { endLeftOverHooks } from '../../services/hook/hook-record.ts';
import type { Store } from '../../store/store.ts';

/** What host0 has before its address management. */
export interface Host0AddressesInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly registry: Registry;
  readonly paths: Paths;
}

/** What can hold addresses beside networks. */
export interface Holders {
  readonly portBook: Pick<PortBook, 'in' | 'all'>;
  readonly workloads: Pick<WorkloadOrders, 'list'>;
}

/** Address management while host0's daemon runs. */
export interface Host0Addresses {
  readonly book: AddressBook;
  /** For the catalogue. */
  readonly blocks: NetworkBlocks;
  /** Joins the book with the networks and the ports. */
  ordersFor(catalogue: NetworkCatalogue, given: Holders): AddressOrders;
  close(): Promise<void>;
}

/** Reads pools and allocations. Outside allocators are executables in the folder `allocators` of the hooks. */
export async function openAddresses(input: Host0AddressesInput): Promise<Host0Addresses> {
  const { paths, registry, journal } = input;
  const ending = new AbortController();
  const recordDirectory = join(paths.run, 'allocators');
  // What an earlier host0 asked is asked again, or taken back.
  const { faults } = await endLeftOverHooks(recordDirectory);
  for (const fault of faults) journal.failure('allocator left over', fault);
  const ask = askAllocatorIn({
    directory: join(paths.hooks, 'allocators'),
    recordDirectory,
    signal: ending.signal,
  });
  const book = await AddressBook.open({ ...input, ask });
  return {
    book,
    blocks: new NetworkBlocks(book),
    ordersFor: (catalogue, { portBook, workloads }) => {
      book.usedBy(() => catalogue.views().flatMap(({ network }) => subnetsOf(network)));
      const portsIn = (network: Network['id'], subnet: string) =>
        portBook
          .in(network)
          .filter(({ addresses = [] }) => addresses.some((address) => isIn(address, subnet)))
          .map(({ id, name = id }) => name);
      // The port of an interface that a host0 placed has a name as well, by which it gets an address outside.
      const hasWorkload = (name: string) =>
        workloads.list().some((workload) => workload.name === name) || portBook.all.some((port) => port.name === name);
      const orders = new AddressOrders({ ...input, book, catalogue, portsIn, hasWorkload });
      addIpamMetrics(registry, () => orders.pools());
      return orders;
    },
    close: async () => {
      ending.abort();
      await book.close();
    },
  };
}

/** The subnets of a network, and the prefix from which its nodes have their addresses. */
function subnetsOf({ subnets, hostAddress }: Network): readonly string[] {
  const cidrs = subnets.map(({ cidr }) => cidr);
  return hostAddress.kind === 'derived' ? [...cidrs, hostAddress.prefix] : cidrs;
}

function isIn(address: string, subnet: string): boolean {
  return rangeHolds(ipRange(subnet), ipRange(`${address}/${address.includes(':') ? 128 : 32}`));
}
