/**
 * Gives the network `main` a block of each pool that says so (`mesh ipam pool create --main`), with the services that make the block
 * useful: router advertisements for an IPv6 prefix, NAT44 for an IPv4 subnet whose pool names the way outside. What `main` has already
 * stays as it is, so that a restart of host0 changes nothing.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { genid } from '../../model/genid.ts';
import type { AddressPool } from '../../model/ipam/address-pool.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkService } from '../../model/network/services/network-service.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { CatalogueView } from '../../protocol/documents/catalogue.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { AddressOrders } from '../ipam/address-orders.ts';
import type { ServiceBook } from './service-book.ts';
import type { ServiceOrders } from './service-orders.ts';

/** What is changed, and what tells of changes. */
export interface MainSubnetsInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly catalogue: { views(): readonly CatalogueView[]; readonly changes: Subscribable<unknown> };
  readonly addresses: Pick<AddressOrders, 'pools' | 'list' | 'allocate' | 'poolChanges'>;
  readonly services: Pick<ServiceOrders, 'set'>;
  readonly serviceBook: Pick<ServiceBook, 'find' | 'isUnread'>;
}

const MAIN = 'main';
/** The digits of an allocation's id. */
const ID_HEX = 12;
/** How long to wait before the next attempt: an outside allocator may have to be mended. */
const RETRY_MS = 60_000;

/** Keeps `main` addressed. */
export class MainSubnets implements HealthSource {
  readonly #input: MainSubnetsInput;
  readonly #ends: readonly (() => void)[];
  /** By pool. */
  #faults: ReadonlyMap<string, MeshError> = new Map();
  #working: Promise<void> = Promise.resolve();
  #isDue = false;
  #retry: Alarm | undefined;

  constructor(input: MainSubnetsInput) {
    this.#input = input;
    const look = () => this.#look();
    this.#ends = [input.addresses.poolChanges.subscribe(look), input.catalogue.changes.subscribe(look)];
    look();
  }

  /** What main could not be given. */
  health(): readonly Finding[] {
    return Array.from(this.#faults, ([pool, error]) => findingOf(error, { object: pool }));
  }

  /** Resolves when all that is due has been tried. */
  get settled(): Promise<void> {
    return this.#working;
  }

  close(): void {
    for (const end of this.#ends) end();
    this.#retry?.cancel();
  }

  #look(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#working = this.#working.then(() => {
      this.#isDue = false;
      return this.#keep();
    });
  }

  async #keep(): Promise<void> {
    const faults = new Map<string, MeshError>();
    for (const { pool } of this.#input.addresses.pools()) {
      if (pool.main === undefined) continue;
      try {
        await this.#give(pool);
      } catch (thrown) {
        const error = MeshError.from(thrown);
        if (this.#faults.get(pool.name)?.message !== error.message)
          this.#input.journal.failure('main not addressed', error, { object: pool.name });
        faults.set(pool.name, error);
      }
    }
    this.#faults = faults;
    this.#retry?.cancel();
    if (faults.size > 0) this.#retry = this.#input.clock.after(RETRY_MS, () => this.#look());
  }

  async #give(pool: AddressPool): Promise<void> {
    const { addresses } = this.#input;
    const main = this.#main();
    if (main === undefined) return;
    // The same id each time: what was given before a crash is not given twice.
    const id = genid([MAIN, pool.name], ID_HEX);
    const known = addresses.list(pool.name);
    const isGiven = known.some(
      ({ id: other, holder, state }) =>
        (state === 'allocated' && holder.kind === 'network' && holder.id === main.id) ||
        (state === 'resting' && other === id),
    );
    if (!isGiven) await addresses.allocate({ id, pool: pool.name, network: main.name });
    for (const service of servicesOf(pool)) await this.#serve(service);
  }

  async #serve(service: NetworkService): Promise<void> {
    const { services, serviceBook } = this.#input;
    const main = this.#main();
    if (main === undefined || serviceBook.isUnread(main) || serviceBook.find(main, service.kind) !== undefined) return;
    await services.set(main.name, service);
  }

  /** The network that host0 has made. One of this name from a file is somebody else's. */
  #main(): Network | undefined {
    return this.#input.catalogue.views().find(({ network: { name, source } }) => name === MAIN && source !== 'file')
      ?.network;
  }
}

function servicesOf({ kind, main }: AddressPool): readonly NetworkService[] {
  if (kind === 'ipv6-prefix') return [{ kind: 'ra' }];
  return main?.nat44 === undefined ? [] : [{ kind: 'nat44', ...main.nat44 }];
}
