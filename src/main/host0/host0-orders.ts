/** Composes owners, orders and their hooks. */
import { join } from 'node:path';
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import type { Controller } from '../../controller/controller.ts';
import type { AddressOrders } from '../../controller/ipam/address-orders.ts';
import { AddressStep } from '../../controller/orders/address-step.ts';
import { AdvertisementStep } from '../../controller/orders/advertisement-step.ts';
import { KeptRecords } from '../../controller/orders/kept-records.ts';
import { NetworkStep } from '../../controller/orders/network-step.ts';
import { addOrderMetrics } from '../../controller/orders/order-metrics.ts';
import { ORDER_RECORDS, OWNER_RECORDS } from '../../controller/orders/order-records.ts';
import { Orders } from '../../controller/orders/orders.ts';
import { PrefixStep } from '../../controller/orders/prefix-step.ts';
import { WorkloadStep } from '../../controller/orders/workload-step.ts';
import { Owners } from '../../controller/owners/owners.ts';
import type { AddressMaps } from '../../controller/services/address-maps.ts';
import type { ServiceOrders } from '../../controller/services/service-orders.ts';
import type { WorkloadOrders } from '../../controller/workloads/workload-orders.ts';
import type { Registry } from '../../metrics/registry.ts';
import type { Clock } from '../../model/clock.ts';
import type { Paths } from '../../protocol/documents/paths.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { Hooks } from '../../services/hook/hooks.ts';
import type { Store } from '../../store/store.ts';

/** What host0 has before its orders. */
export interface Host0OrdersInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly registry: Registry;
  readonly catalogue: NetworkCatalogue;
  readonly hooks: Hooks;
  readonly addresses: AddressOrders;
  readonly addressMaps: AddressMaps;
  readonly services: ServiceOrders;
  readonly workloads: WorkloadOrders;
  readonly controller: Pick<Controller, 'addHealthOf'>;
}

/** Owners and orders while host0's daemon runs. */
export interface Host0Orders {
  readonly owners: Owners;
  readonly orders: Orders;
  /** Goes on with what an earlier process has left. Only when the control socket answers: hooks may call. */
  start(): void;
  close(): Promise<void>;
}

/**
 * Opens the hooks, and ends those that a host0 that was killed has left running, with its outside allocators. Before anything of this
 * process runs one.
 */
export async function openHooks({ root, host0, hooks: directory, run }: Paths, journal: Journal): Promise<Hooks> {
  const env = { MESH_ROOT: root, MESH_HOST0_DIR: host0 };
  const hooks = new Hooks({ directory, recordDirectory: join(run, 'hooks'), env });
  const { ended, faults } = await hooks.endLeftOver();
  for (const fault of faults) journal.failure('hook left over', fault);
  if (ended > 0) journal.record({ kind: 'hooks ended', level: 'warning', message: `${ended} hooks were left running` });
  return hooks;
}

/** Reads owners and orders. @throws MESH_STORE_BROKEN */
export async function openOrders(input: Host0OrdersInput): Promise<Host0Orders> {
  const { store, registry, catalogue, addresses, services, addressMaps, workloads, controller } = input;
  const records = {
    owners: await KeptRecords.open(store, OWNER_RECORDS),
    orders: await KeptRecords.open(store, ORDER_RECORDS),
  };
  const works = {
    network: new NetworkStep(catalogue),
    prefix: new PrefixStep(addresses, catalogue),
    advertisement: new AdvertisementStep(services),
    address: new AddressStep(addressMaps),
    workload: new WorkloadStep(workloads),
  };
  const orders = new Orders({ ...input, ...records, works });
  const owners = new Owners({ ...input, owners: records.owners, orders });
  controller.addHealthOf(orders);
  addOrderMetrics(registry, () => orders.list());
  return {
    owners,
    orders,
    start: () => {
      orders.start();
      owners.start();
    },
    close: async () => {
      await owners.close();
      await orders.close();
    },
  };
}
