/** host0 as far as assignments are concerned: its catalogue, its ports and what each node is given, over a store of memory. */
import { AssignmentEpoch } from '../../src/controller/assignments/assignment-epoch.ts';
import { Assignments } from '../../src/controller/assignments/assignments.ts';
import { PortOrders } from '../../src/controller/assignments/port-orders.ts';
import { NetworkCatalogue } from '../../src/controller/catalogue/network-catalogue.ts';
import { PortBook } from '../../src/controller/ports/port-book.ts';
import type { Ipv4 } from '../../src/model/address/ipv4.ts';
import type { Clock } from '../../src/model/clock.ts';
import type { MachineId } from '../../src/model/machine.ts';
import { Signal } from '../../src/model/signal.ts';
import type { Journal } from '../../src/protocol/journal/journal.ts';
import { MemoryStore } from '../kit/memory-store.ts';

/** host0's underlay address. */
export const HOST0_IPV4 = '10.11.0.1' as Ipv4;

/** A node as host0 finds it. */
export interface Place {
  readonly machine: MachineId;
  readonly name: string;
  readonly underlay: Ipv4;
}

/** What is in a store. */
export type StoreContent = readonly { readonly key: string; readonly value: string }[];

/** Starts host0's daemon with its store. */
export async function assigningHost0(
  store: MemoryStore,
  nodes: readonly Place[],
  { clock, journal }: { readonly clock: Clock; readonly journal: Journal },
) {
  const placeOf = (machine: string) => nodes.find((node) => node.machine === machine);
  const places = { placeOf, changes: new Signal<undefined>() };
  const host0AddressFor = () => HOST0_IPV4;
  const ports = await PortBook.open(store);
  const catalogue = await NetworkCatalogue.open({ store, clock, journal });
  const epoch = await AssignmentEpoch.open({ store, journal, leap: () => [...catalogue.leap(), ports.leap()] });
  const given = {
    store,
    places,
    ports,
    epoch,
    roles: { of: () => [], changes: new Signal<MachineId>() },
    host0AddressFor,
  };
  const assignments = new Assignments({ clock, journal, ...given });
  await assignments.start();
  catalogue.usedBy(assignments.use);
  catalogue.setFiles([]);
  catalogue.changes.subscribe((changed) => assignments.changeNetworks(changed, catalogue));
  assignments.setNetworks(catalogue.given);
  const due = new Set<MachineId>();
  assignments.subscribe((machine) => void (machine !== 'host0' && due.add(machine)));
  const network = (wanted: string) => catalogue.find(wanted).network;
  const orders = new PortOrders({ book: ports, assignments, network, management: () => undefined });
  return { store, assignments, catalogue, orders, book: ports, due };
}

/** A running daemon. */
export type AssigningHost0 = Awaited<ReturnType<typeof assigningHost0>>;

/** A store as a backup has it, without what came later. @param epoch the one of before, which a copied disk keeps; else another */
export async function restoredStore(backup: StoreContent, epoch?: string): Promise<MemoryStore> {
  const store = new MemoryStore(epoch === undefined ? {} : { epoch });
  if (backup.length > 0)
    await store.txn(
      [],
      backup.map(({ key, value }) => ({ put: key, value })),
    );
  return store;
}
