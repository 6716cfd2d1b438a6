/** What host0 decides of owners and orders, over a store in memory that may crash, with hooks that tests speak for. */
import { setImmediate as runEventLoop } from 'node:timers/promises';
import { NetworkCatalogue } from '../../src/controller/catalogue/network-catalogue.ts';
import { AddressBook } from '../../src/controller/ipam/address-book.ts';
import { AddressOrders } from '../../src/controller/ipam/address-orders.ts';
import { NetworkBlocks } from '../../src/controller/ipam/network-blocks.ts';
import { AddressStep } from '../../src/controller/orders/address-step.ts';
import { AdvertisementStep } from '../../src/controller/orders/advertisement-step.ts';
import { KeptRecords } from '../../src/controller/orders/kept-records.ts';
import { NetworkStep } from '../../src/controller/orders/network-step.ts';
import { ORDER_RECORDS, OWNER_RECORDS } from '../../src/controller/orders/order-records.ts';
import { Orders } from '../../src/controller/orders/orders.ts';
import { PrefixStep } from '../../src/controller/orders/prefix-step.ts';
import { WorkloadStep } from '../../src/controller/orders/workload-step.ts';
import { Owners } from '../../src/controller/owners/owners.ts';
import type { AddressMaps } from '../../src/controller/services/address-maps.ts';
import type { ServiceOrders } from '../../src/controller/services/service-orders.ts';
import { parseIpv4 } from '../../src/model/address/ipv4.ts';
import { parseIpv6 } from '../../src/model/address/ipv6.ts';
import { MeshError } from '../../src/model/error.ts';
import type { HookCall, HookReport } from '../../src/protocol/documents/order/hook.ts';
import { isSettled } from '../../src/protocol/documents/order/order.ts';
import type { AddressMapView } from '../../src/protocol/documents/service/address-map-view.ts';
import type { ServiceView } from '../../src/protocol/documents/service/service-view.ts';
import { Journal } from '../../src/protocol/journal/journal.ts';
import type { Change, Compare, Store, TxnResult, WatchBatch } from '../../src/store/store.ts';
import { ManualClock } from './manual-clock.ts';
import type { MemoryStore } from './memory-store.ts';
import { A, GIB, workloadHost0 } from './workload-host0.ts';

/**
 * How an operation of a store goes. `lost`: it is carried out, and nobody hears of it. That is for the records of orders and owners alone:
 * the books of networks, workloads and addresses take a write without an answer for one that was refused.
 */
export type Fate = 'done' | 'failed' | 'too large' | 'lost' | 'crash before' | 'crash after';

/** Decides how an operation goes, by its number and by what it writes. */
type FateOf = (operation: number, written: string) => Fate;

/** The keys of records that are read again after a write without an answer. */
const OF_ORDERS = /^\/v1\/(orders|owners)\//;

/** A store of one process of host0. After a crash, no call ever ends, as for a process that was killed. */
export class FatefulStore implements Store {
  readonly #store: MemoryStore;
  readonly #fate: FateOf;
  /** The operations so far. */
  operations = 0;
  crashed = false;

  constructor(store: MemoryStore, fate: FateOf) {
    this.#store = store;
    this.#fate = fate;
  }

  get epoch(): string {
    return this.#store.epoch;
  }

  get(key: string) {
    return this.#operation(() => this.#store.get(key));
  }

  range(prefix: string) {
    return this.#operation(() => this.#store.range(prefix));
  }

  txn(compare: readonly Compare[], then: readonly Change[], otherwise?: readonly Change[]): Promise<TxnResult> {
    const isOfOrders = then.some((change) => OF_ORDERS.test('put' in change ? change.put : change.delete));
    const written = then.map((change) => ('put' in change ? change.value : '')).join('');
    return this.#operation(() => this.#store.txn(compare, then, otherwise), isOfOrders, written);
  }

  watch(prefix: string, from: number, onBatch: (batch: WatchBatch) => void, onError: (error: Error) => void) {
    return this.#store.watch(prefix, from, (batch) => !this.crashed && onBatch(batch), onError);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #operation<T>(work: () => Promise<T>, mayBeLost = false, written = ''): Promise<T> {
    if (this.crashed) return await never();
    const wanted = this.#fate(++this.operations, written);
    const fate = wanted === 'lost' && !mayBeLost ? 'failed' : wanted;
    this.crashed = fate.startsWith('crash');
    if (fate === 'crash before') return await never();
    if (fate === 'failed') throw new MeshError('MESH_STORE_BROKEN', 'the disk is away');
    if (fate === 'too large') throw new MeshError('MESH_STORE_TOO_LARGE', 'the change is too large');
    const result = await work();
    if (fate === 'lost') throw new MeshError('MESH_STORE_BROKEN', 'the answer is away');
    if (fate === 'crash after' || this.crashed) return await never();
    return result;
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Hooks that answer as a test says; every run is noted. */
export class ToldHooks {
  readonly calls: HookCall[] = [];
  answer: (call: HookCall) => Promise<readonly HookReport[]> | readonly HookReport[] = () => [];

  async run(call: HookCall): Promise<readonly HookReport[]> {
    this.calls.push(call);
    return await this.answer(call);
  }

  /** What has run, as `order-network before blue`. */
  get words(): readonly string[] {
    return this.calls.map(({ event, phase, object }) => `${event} ${phase} ${object}`);
  }
}

/** The report of a hook that refuses, or that fails. */
export function failedHook(hook: string, code: 'MESH_HOOK_REFUSED' | 'MESH_HOOK_FAILED', message: string): HookReport {
  return { hook, output: '', tookMs: 1, error: new MeshError(code, message).toJSON() };
}

/** Router advertisements as a test says: ready, or waiting for a reason. They are forgotten with the process. */
export class ToldRouters implements Pick<ServiceOrders, 'list' | 'set' | 'remove'> {
  readonly announced = new Set<string>();
  why: string | undefined;

  list(network: string): readonly ServiceView[] {
    return this.announced.has(network) ? [this.#view(network)] : [];
  }

  async set(network: string): Promise<ServiceView> {
    this.announced.add(network);
    return this.#view(network);
  }

  async remove(network: string): Promise<ServiceView> {
    this.announced.delete(network);
    return this.#view(network);
  }

  #view(network: string): ServiceView {
    const state = this.why === undefined ? { state: 'ready' as const } : { state: 'pending' as const, why: this.why };
    return { network, service: { kind: 'ra' }, nodes: [], ...state };
  }
}

/** IPv4 addresses as a test says. They are forgotten with the process. */
export class ToldMaps implements Pick<AddressMaps, 'list' | 'map' | 'unmap'> {
  #maps: AddressMapView[] = [];

  list(): readonly AddressMapView[] {
    return this.#maps;
  }

  async map(vm: string): Promise<AddressMapView> {
    if (vm === 'poor') throw new MeshError('MESH_ADDRESS_UNMAPPABLE', 'no network of poor has NAT64');
    const known = this.#maps.find((map) => map.vm === vm);
    const map = known ?? { vm, ipv4: parseIpv4('203.0.113.5'), ipv6: parseIpv6('fd42::5'), network: 'blue' };
    if (known === undefined) this.#maps.push(map);
    return map;
  }

  async unmap(vm: string): Promise<AddressMapView> {
    const map = await this.map(vm);
    this.#maps = this.#maps.filter((other) => other !== map);
    return map;
  }
}

/** One process of host0. */
export interface OrderHost0 {
  readonly store: FatefulStore;
  readonly clock: ManualClock;
  readonly journal: Journal;
  readonly catalogue: NetworkCatalogue;
  readonly addresses: AddressOrders;
  readonly routers: ToldRouters;
  readonly maps: ToldMaps;
  readonly orders: Orders;
  readonly owners: Owners;
  readonly hooks: ToldHooks;
  readonly workloads: Awaited<ReturnType<typeof workloadHost0>>;
  /** Lets time pass until nothing moves any more, or the store has crashed, at most an hour. */
  settle(): Promise<void>;
}

/** @param memory another process of host0 has the same */
export async function orderHost0(
  memory: MemoryStore,
  { fate = () => 'done', hooks = new ToldHooks() }: { fate?: FateOf; hooks?: ToldHooks } = {},
): Promise<OrderHost0 | undefined> {
  const store = new FatefulStore(memory, fate);
  const clock = new ManualClock();
  const journal = new Journal(clock, 'host0', 'host0');
  // A store that crashes while host0 starts leaves no process.
  const opened = (async () => {
    const ask = () => Promise.reject(new Error('there is no allocator'));
    const book = await AddressBook.open({ store, clock, journal, ask });
    const catalogue = await NetworkCatalogue.open({ store, clock, journal, blocks: new NetworkBlocks(book) });
    book.usedBy(() => catalogue.views().flatMap(({ network }) => network.subnets.map(({ cidr }) => cidr)));
    const addresses = new AddressOrders({ store, journal, book, catalogue, portsIn: () => [] });
    const workloads = await workloadHost0(store);
    const [owners, orders] = [
      await KeptRecords.open(store, OWNER_RECORDS),
      await KeptRecords.open(store, ORDER_RECORDS),
    ];
    return { catalogue, addresses, workloads, owners, orders };
  })().catch(() => undefined);
  for (let turn = 0; turn < 50 && !store.crashed; turn++) await runEventLoop();
  const parts = await Promise.race([opened, runEventLoop(undefined)]);
  if (parts === undefined) {
    // What was opened already would go on beside the next process.
    store.crashed = true;
    return undefined;
  }
  const { catalogue, addresses, workloads } = parts;
  workloads.node(A, 8 * GIB);
  const routers = new ToldRouters();
  const maps = new ToldMaps();
  const works = {
    network: new NetworkStep(catalogue),
    prefix: new PrefixStep(addresses, catalogue),
    advertisement: new AdvertisementStep(routers),
    address: new AddressStep(maps),
    workload: new WorkloadStep(workloads.orders),
  };
  const orders = new Orders({ ...parts, works, hooks, clock, journal });
  const owners = new Owners({ owners: parts.owners, orders, hooks, clock, journal });
  owners.start();
  orders.start();
  const isQuiet = () =>
    orders.list().every((order) => isSettled(order)) && owners.list().every(({ state }) => state === 'ready');
  const settle = async () => {
    for (let second = 0; second < 3_600 && !store.crashed && !isQuiet(); second++) await clock.pass(1_000);
    await clock.pass(1_000);
  };
  return { store, clock, journal, catalogue, addresses, routers, maps, orders, owners, hooks, workloads, settle };
}
