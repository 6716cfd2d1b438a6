/** The commands about addresses, and the findings about pools. A block for a network becomes a subnet of that network. */
import { MeshError } from '../../model/error.ts';
import type { AddressPool } from '../../model/ipam/address-pool.ts';
import { type AddressHolder, type Allocation, AllocationShape } from '../../model/ipam/allocation.ts';
import type { Network } from '../../model/network/network.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { CatalogueChange, NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { AddressPoolView, AllocationOrder, AllocationView } from '../../protocol/documents/ipam/ipam-view.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import type { Store } from '../../store/store.ts';
import type { ChangeOptions } from '../catalogue/catalogue-change.ts';
import type { NetworkCatalogue } from '../catalogue/network-catalogue.ts';
import { type BlockWish, wishesIn } from '../catalogue/subnet-blocks.ts';
import type { AddressBook } from './address-book.ts';
import { addressDrift } from './address-check.ts';
import { blocksText, portsInSubnet } from './ipam-error.ts';
import { GRANTS_PREFIX } from './ipam-records.ts';
import { type PoolGrants, usedPercent } from './pool-grants.ts';

/** The parts of host0 that the commands work with. */
export interface AddressOrdersInput {
  readonly store: Store;
  readonly journal: Journal;
  readonly book: AddressBook;
  readonly catalogue: Pick<NetworkCatalogue, 'create' | 'edit' | 'apply' | 'find' | 'views'>;
  /** The names of the ports of a network that have an address in a subnet. */
  readonly portsIn: (network: Network['id'], subnet: string) => readonly string[];
  /** Whether there is a workload of this name. Absent: what workloads hold is not compared. */
  readonly hasWorkload?: (name: string) => boolean;
}

/** The holder of what nobody is named for. */
const OPERATOR: AddressHolder = { kind: 'operator', id: 'operator' };
/** An allocation has some 300 characters. */
const RECORD_MAX_LENGTH = 4_096;
const MS_PER_SEC = 1_000;

/** Carries the commands out. */
export class AddressOrders implements HealthSource {
  readonly #input: AddressOrdersInput;
  /** Reserved blocks that come into a network right now. */
  readonly #underWay = new Set<string>();

  constructor(input: AddressOrdersInput) {
    this.#input = input;
  }

  /** Emits when a pool was made. */
  get poolChanges(): Subscribable<void> {
    return this.#input.book.pools.changes;
  }

  /** All pools with their use, by name. */
  pools(): readonly AddressPoolView[] {
    return this.#input.book.pools.all.map(viewOf);
  }

  /** Makes a pool. @throws MESH_IPAM_POOL_INVALID, MESH_IPAM_POOLS_OVERLAP, MESH_ALREADY_MADE */
  async createPool(pool: AddressPool): Promise<AddressPoolView> {
    const { book, journal } = this.#input;
    const { name, cidr } = await book.createPool(pool);
    journal.record({ kind: 'address pool made', message: `${name}: ${blocksText(pool)} of ${cidr}`, object: name });
    return viewOf(book.pools.get(name));
  }

  /** Deletes a pool. @throws MESH_IPAM_POOL_UNKNOWN, MESH_IPAM_POOL_IN_USE */
  async deletePool(name: string, force: boolean): Promise<AddressPool> {
    const { book, journal } = this.#input;
    const pool = await book.deletePool(name, force);
    journal.record({ kind: 'address pool deleted', message: `${name} with ${pool.cidr}`, object: name });
    return pool;
  }

  /** What is allocated and what rests, in one pool or in all. @throws MESH_IPAM_POOL_UNKNOWN */
  list(pool?: string): readonly AllocationView[] {
    const { book } = this.#input;
    const given = pool === undefined ? book.list() : book.pools.get(pool).allocations;
    const asked = book.requests
      .filter((request) => pool === undefined || request.pool === pool)
      .map(({ format: _, ...request }): AllocationView => ({ ...request, state: 'reserved' }));
    const names = this.#networkNames();
    return [...given.map((allocation) => this.#viewOf(allocation, names)), ...asked];
  }

  /** Allocates a block. @throws MESH_IPAM_*, MESH_NET_UNKNOWN, MESH_NET_SOURCE */
  async allocate({ network: wanted, holder = OPERATOR, ...wish }: AllocationOrder): Promise<AllocationView> {
    const { book, catalogue, journal } = this.#input;
    if (wanted !== undefined && holder !== OPERATOR) throw twoHolders();
    const allocation =
      wanted === undefined
        ? await book.allocate({ ...wish, holder })
        : await this.#allocateFor(catalogue.find(wanted).network, wish);
    const view = this.#viewOf(allocation, this.#networkNames());
    const message = `${allocation.value} of ${allocation.pool} for ${view.network ?? allocation.holder.id}`;
    journal.record({ kind: 'addresses allocated', message, object: allocation.value });
    return view;
  }

  /**
   * Releases a block, by its id or value. A network loses the subnet in the same transaction.
   * @throws MESH_IPAM_UNKNOWN, MESH_NET_IN_USE
   */
  async release(wanted: string): Promise<AllocationView> {
    const { book, catalogue, journal } = this.#input;
    const before = book.pools.find(wanted);
    const { id, value, holder } = before;
    const network = holder.kind === 'network' ? this.#networks().find((one) => one.id === holder.id) : undefined;
    if (network !== undefined && before.state === 'allocated') {
      const ports = this.#input.portsIn(network.id, value);
      if (ports.length > 0) throw portsInSubnet(network.name, value, ports);
      const subnets = network.subnets.filter(({ cidr }) => cidr !== value);
      if (subnets.length < network.subnets.length) await catalogue.edit(network.id, { subnets });
    }
    const after = book.pools.has(id) ? await book.release(id) : { ...before, state: 'resting' as const };
    journal.record({ kind: 'addresses released', message: `${value} of ${before.pool}`, object: value });
    return this.#viewOf(after, this.#networkNames());
  }

  /** Makes a network, also with blocks of pools with outside allocators. @throws MESH_NET_*, MESH_IPAM_* */
  createNetwork(order: NetworkOrder, options: ChangeOptions): Promise<CatalogueChange> {
    return this.#withReserved(order, String(order.name), options, (whole) =>
      this.#input.catalogue.create(whole, options),
    );
  }

  /** Changes a network, as `createNetwork` makes one. */
  async editNetwork(wanted: string, order: NetworkOrder, options: ChangeOptions): Promise<CatalogueChange> {
    const { id } = this.#input.catalogue.find(wanted).network;
    return this.#withReserved(order, id, options, (whole) => this.#input.catalogue.edit(wanted, whole, options));
  }

  /** Makes a network or changes it as its document says. What the network has of a pool already fulfils a wish. */
  applyNetwork(order: NetworkOrder, options: ChangeOptions): Promise<CatalogueChange> {
    const { name, number } = order;
    const known = this.#networks().find((network) =>
      number === undefined ? network.name === String(name) : network.number === Number(number),
    );
    return this.#withReserved(
      order,
      known?.id ?? String(name),
      options,
      (whole) => this.#input.catalogue.apply(whole, options),
      known === undefined ? [] : this.#input.book.list().filter((allocation) => isHeldBy(allocation, known.id)),
    );
  }

  /** Compares allocations with the networks and with the store. @throws MESH_STORE_BROKEN */
  async check(): Promise<Finding[]> {
    const { book, store } = this.#input;
    const now = () =>
      new Map(book.list().map((allocation) => [`${GRANTS_PREFIX}${allocation.pool}/${allocation.value}`, allocation]));
    const before = now();
    const { entries } = await store.range(GRANTS_PREFIX);
    // The cursor of a pool has a shorter key.
    const records = entries.filter(({ key }) => key.slice(GRANTS_PREFIX.length).includes('/'));
    return addressDrift({
      pools: book.pools.all,
      networks: this.#networks().map(({ id, name, subnets }) => ({
        id,
        name,
        subnets: subnets.map(({ cidr }) => cidr),
      })),
      stored: new Map(
        records.map(({ key, value }) => [key, readDocument(AllocationShape, value, RECORD_MAX_LENGTH).document]),
      ),
      expected: [before, now()],
      hasWorkload: this.#input.hasWorkload ?? (() => true),
      underWay: this.#underWay,
      requests: book.requests.filter(({ id, pool }) => !book.isAwaited(id) && book.faults.has(pool)),
      spoilt: book.pools.spoilt,
    });
  }

  /** Pools that are used up, or nearly, and allocators that fail. */
  health(): readonly Finding[] {
    const { book } = this.#input;
    return [
      ...book.pools.all.flatMap(lowFinding),
      ...Array.from(book.faults, ([pool, error]) => findingOf(error.toJSON(), { object: pool })),
    ];
  }

  async #allocateFor(network: Network, wish: BlockWish): Promise<Allocation> {
    const { book } = this.#input;
    const id = wish.id ?? book.newId();
    // A block that is only reserved is that of an attempt which ended before the network had it: the network takes it now.
    if (book.pools.has(id) && book.pools.find(id).state !== 'reserved')
      return book.allocate({ ...wish, id, holder: { kind: 'network', id: network.id } });
    await this.editNetwork(network.id, { addressPools: [{ ...wish, id }] }, {});
    return book.pools.find(id);
  }

  /**
   * Reserves the blocks of an order that outside allocators choose, before the network is written: that takes its time, and must
   * not hold other networks up.
   */
  async #withReserved(
    { addressPools, ...order }: NetworkOrder,
    holder: string,
    { dryRun = false }: ChangeOptions,
    change: (order: NetworkOrder) => Promise<CatalogueChange>,
    known: readonly Allocation[] = [],
  ): Promise<CatalogueChange> {
    const { book } = this.#input;
    const left = [...known];
    const wishes: readonly BlockWish[] = wishesIn(addressPools);
    if (wishes.length === 0) return change(order);
    const isOutside = (wish: BlockWish) => {
      const { definition } = book.poolFor(wish);
      const own = left.findIndex(({ id, pool }) => pool === definition.name && (wish.id ?? id) === id);
      if (own >= 0) left.splice(own, 1);
      return own < 0 && definition.allocator !== undefined;
    };
    // A plan asks nobody: what an allocator would choose is not known.
    if (dryRun) return change({ ...order, addressPools: wishes.filter((wish) => !isOutside(wish)) });
    const reserved: Allocation[] = [];
    const underWay: string[] = [];
    try {
      const whole: BlockWish[] = [];
      for (const wish of wishes) {
        if (!isOutside(wish)) {
          whole.push(wish);
          continue;
        }
        const id = wish.id ?? book.newId();
        underWay.push(id);
        this.#underWay.add(id);
        reserved.push(await book.allocate({ ...wish, id, holder: { kind: 'network', id: holder }, reserve: true }));
        whole.push({ id });
      }
      return await change({ ...order, addressPools: whole });
    } catch (error) {
      for (const { id } of reserved) {
        if (book.pools.has(id) && book.pools.find(id).state === 'reserved') await book.release(id);
      }
      throw error;
    } finally {
      for (const id of underWay) this.#underWay.delete(id);
    }
  }

  #networks(): readonly Network[] {
    return this.#input.catalogue.views().map(({ network }) => network);
  }

  #networkNames(): ReadonlyMap<string, string> {
    return new Map(this.#networks().map(({ id, name }) => [id, name]));
  }

  #viewOf({ restsUntilMs: _, ...allocation }: Allocation, names: ReadonlyMap<string, string>): AllocationView {
    const { holder, state, id } = allocation;
    const network = holder.kind === 'network' ? names.get(holder.id) : undefined;
    const { book } = this.#input;
    const known = book.pools.has(id) ? book.pools.find(id) : undefined;
    return {
      ...allocation,
      ...(network !== undefined && { network }),
      ...(state === 'resting' && {
        restsSec: known === undefined ? 0 : Math.ceil(book.restsMs(known) / MS_PER_SEC),
      }),
    };
  }
}

function isHeldBy({ holder, state }: Allocation, network: Network['id']): boolean {
  return state === 'allocated' && holder.kind === 'network' && holder.id === network;
}

function viewOf(grants: PoolGrants): AddressPoolView {
  const counts = grants.counts();
  return { pool: grants.definition, ...counts, usedPercent: Math.round(usedPercent(counts) * 10) / 10 };
}

function lowFinding(grants: PoolGrants): Finding[] {
  const { name, cidr, warnPercent } = grants.definition;
  const counts = grants.counts();
  const percent = usedPercent(counts);
  if (percent < warnPercent) return [];
  const { allocated, resting } = counts;
  const taken = `${allocated} allocated${resting > 0 ? `, ${resting} resting` : ''}`;
  const remedy = `Make another pool (\`mesh ipam pool create\`), or release what is not needed: \`mesh ipam list --pool ${name}\``;
  const isFull = percent >= 100;
  return [
    {
      code: isFull ? 'MESH_IPAM_POOL_EXHAUSTED' : 'MESH_IPAM_POOL_LOW',
      severity: isFull ? 'error' : 'warning',
      object: name,
      message: isFull
        ? `pool ${name} (${cidr}) has nothing left to give: ${taken}`
        : `pool ${name} (${cidr}) is used to ${Math.floor(percent)} %: ${taken}`,
      remedy,
    },
  ];
}

function twoHolders(): MeshError {
  return new MeshError('MESH_USAGE', 'a network and another holder are named', {
    operation: 'allocate from an address pool',
    rule: 'A block has one holder.',
    remedy: 'Leave one of the two out',
  });
}
