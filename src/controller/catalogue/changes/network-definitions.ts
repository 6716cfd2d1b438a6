/** Definitions of networks: made, changed and given up. A definition that changes while its network is active waits for the next start. */
import { randomUUID } from 'node:crypto';
import { networkDifferences } from '../../../formats/network/network-differences.ts';
import type { Network } from '../../../model/network/network.ts';
import type { CatalogueChange, NetworkOrder } from '../../../protocol/documents/catalogue.ts';
import { undoMoves } from '../../pools/pool.ts';
import type { ChangeOptions } from '../catalogue-change.ts';
import { isTransient, uuidTwice } from '../catalogue-error.ts';
import type { NetworkMaking } from '../network-creations.ts';
import { isActive, liveOf, type NetworkRecord } from '../network-record.ts';
import type { NewRecord } from '../stored-networks.ts';
import { withBridge } from './bridge-of-order.ts';
import type { NetworkUuids } from './network-uuids.ts';
import type { RecordChanges } from './record-changes.ts';
import type { PlannedRecord } from './shared-changes.ts';

/** How a definition is asked for. */
export interface DefineOptions extends ChangeOptions {
  /** Where the network is defined; `libvirt` fills in what libvirt does: bridge, its address, and a UUID. Absent: the store. */
  readonly source?: 'store' | 'libvirt';
}

/** What definitions are made with. */
export interface NetworkDefinitionsInput {
  readonly changes: RecordChanges;
  readonly uuids: NetworkUuids;
  /** Whether the machine has a device of this name. */
  readonly hasDevice: (name: string) => boolean;
}

/** Makes, changes and deletes definitions. */
export class NetworkDefinitions {
  readonly #input: NetworkDefinitionsInput;
  readonly #changes: RecordChanges;

  constructor(input: NetworkDefinitionsInput) {
    this.#input = input;
    this.#changes = input.changes;
  }

  /** Makes a network and starts it. @throws MESH_NET_* */
  create(order: NetworkOrder, { dryRun = false }: ChangeOptions): Promise<CatalogueChange> {
    const { creations } = this.#changes.input;
    return this.#changes.share(
      () => (dryRun ? undefined : creations.plan(order)),
      () => this.make(order, { dryRun }),
      ({ network }) => this.#changes.answer('created', network, {}),
    );
  }

  /** Changes the named parts of a network, in its definition and where it runs. @throws MESH_NET_* */
  edit(wanted: string, order: NetworkOrder, options: ChangeOptions): Promise<CatalogueChange> {
    return this.#changes.run(() => this.#changes.replace(this.#changes.storedOf(wanted), order, true, options));
  }

  /** Makes a network, or makes the one of this number or name as the order says. @throws MESH_NET_* */
  apply(order: NetworkOrder, options: ChangeOptions): Promise<CatalogueChange> {
    return this.#changes.run(() => {
      const known = this.#knownBy(order);
      if (known === undefined) return this.make(order, options);
      const record = this.#changes.storedOf(known.id);
      // A document that leaves the UUID and the bridge out does not take them away: guests and programs know the network by them.
      const whole = this.wholeOf(order, record.network.source, record.network);
      return this.#changes.replace(record, whole, false, options);
    });
  }

  /** Takes a network up that a node has and the store has lost, as it is. @throws MESH_NET_* */
  adopt(network: Network): Promise<CatalogueChange> {
    return this.#changes.run(async () => {
      const known = this.#changes.input.stored.recordOf(network.number);
      if (known !== undefined && networkDifferences(known.network, { ...network, source: 'store' }).length === 0) {
        return this.#changes.answer('unchanged', known.network, {});
      }
      return this.make({ ...network }, {});
    });
  }

  /** Makes a network and starts it. Call this in the order of changes. @throws MESH_NET_* */
  async make(order: NetworkOrder, { dryRun = false, written }: ChangeOptions): Promise<CatalogueChange> {
    const write = ({ record, moves }: NewRecord) => this.#changes.put(record, moves, { ...(written && { written }) });
    const network = await this.#changes.input.creations.make(order, { dryRun, write });
    return this.#changes.answer('created', network, { dryRun });
  }

  /**
   * Makes a network without a start, or defines a network anew: while it is active, the new definition waits for the next start. A
   * transient network becomes a defined one.
   * @throws MESH_NET_*
   */
  define(order: NetworkOrder, { source = 'store', ...options }: DefineOptions = {}): Promise<CatalogueChange> {
    const making = { isActive: false, source, ...(source === 'libvirt' && { autostart: false }) };
    const alone = async () => {
      const known = this.standing(this.#knownBy(order), source);
      if (known !== undefined) return this.#defineAnew(known, order, source, options);
      const network = await this.madeNew(order, making, options);
      return this.#changes.answer('defined', network, options);
    };
    const plan = () =>
      this.#knownBy(order) === undefined && !options.dryRun ? this.planNew(order, making) : undefined;
    return this.#changes.share(plan, alone, ({ network }) => this.#changes.answer('defined', network, options));
  }

  /** The record of a network whose name no other one has. Call this in the order of changes. @throws MESH_NET_* */
  planNew(order: NetworkOrder, making: NetworkMaking): PlannedRecord {
    return this.#changes.input.creations.plan(this.whole(order, making.source ?? 'store'), making);
  }

  /** Makes the record of a network that the order alone describes. Call this in the order of changes. @throws MESH_NET_* */
  madeNew(order: NetworkOrder, making: NetworkMaking, { dryRun = false }: ChangeOptions): Promise<Network> {
    const { source = 'store' } = making;
    const { known, stored } = this.#changes.input;
    const gone = source === 'libvirt' ? known.shown('name', String(order.name)) : undefined;
    const record = gone && stored.recordOf(gone.number);
    if (record?.deleting) return this.#revive(record, order, making, dryRun);
    const whole = this.whole(order, source);
    return this.#changes.input.creations.make(whole, { dryRun }, making);
  }

  /**
   * The record of a network that an order means. libvirt's users make a network of a name as soon as the one before is stopped: one
   * that nodes still have is none for them.
   * @throws MESH_NET_SOURCE, MESH_NET_UNKNOWN
   */
  standing(network: Network | undefined, source: Network['source']): NetworkRecord | undefined {
    if (network === undefined) return undefined;
    const isGone = source === 'libvirt' && this.#changes.input.stored.recordOf(network.number)?.deleting;
    return isGone ? undefined : this.#changes.storedOf(network.id);
  }

  /** The order with the bridge and the UUID that it leaves to host0. @throws MESH_NET_UUID_TWICE, MESH_NET_DEVICE_TWICE */
  whole(order: NetworkOrder, source: Network['source'], before?: Network): NetworkOrder {
    const { hasDevice } = this.#input;
    const { known } = this.#changes.input;
    const uuid = this.#uuidFor(order, source, before);
    const isTaken = (device: string) => known.hasDevice(device, before?.id) || hasDevice(device);
    return { ...withBridge(order, { isTaken, before, source, uuid }), ...(uuid !== undefined && { uuid }) };
  }

  /** The same for a network that is there, and keeps its UUID. @throws those of `whole` */
  wholeOf(order: NetworkOrder, source: Network['source'], before: Network): NetworkOrder {
    const isNamed = typeof order.uuid === 'string';
    return this.whole(order, source, isNamed ? { ...before, uuid: this.#input.uuids.of(before) } : before);
  }

  /**
   * Gives up the definition: an active network becomes transient, a stopped one is deleted.
   * @throws MESH_NET_TRANSIENT, MESH_NET_IN_USE
   */
  undefine(wanted: string, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#changes.run(async () => {
      const record = this.#changes.storedOf(wanted);
      if (record.persistent === false) throw isTransient(record.network, 'undefined');
      if (!isActive(record)) {
        this.#changes.portsOf(record);
        if (!options.dryRun) await this.#changes.drop(record);
      } else if (!options.dryRun) await this.#keepLive(record);
      return this.#changes.answer('undefined', liveOf(record), options);
    });
  }

  /**
   * Deletes a network, active or not. Its number is free when no node has the network any more.
   * @param force unplugs the network's ports first
   * @throws MESH_NET_IN_USE
   */
  remove(wanted: string, { force = false, ...options }: ChangeOptions & { readonly force?: boolean }) {
    return this.#changes.run(async () => {
      const record = this.#changes.storedOf(wanted);
      this.#changes.portsOf(record, force);
      if (!options.dryRun) await this.#changes.drop(record, { force });
      return this.#changes.answer('deleted', record.network, options);
    });
  }

  async #defineAnew(
    record: NetworkRecord,
    order: NetworkOrder,
    source: 'store' | 'libvirt',
    options: ChangeOptions,
  ): Promise<CatalogueChange> {
    const { planner, stored } = this.#changes.input;
    const { network: before } = record;
    const active = isActive(record);
    const whole = this.wholeOf(order, source, before);
    const { network, moves } = planner.change(whole, before, false, active ? liveOf(record) : undefined);
    const differences = networkDifferences(before, network);
    const { persistent: _, ...defined } = record;
    const after = this.#changes.withForms(defined, network, liveOf(record));
    // A definition is told, also where nothing is different: those who listen for it wait for it.
    if (options.dryRun) undoMoves(moves);
    else await stored.define(after, moves);
    return this.#changes.answer('defined', network, options, differences);
  }

  /** Makes a network in the place of one that is being deleted: its number and its devices are free for no other one. */
  async #revive(record: NetworkRecord, order: NetworkOrder, making: NetworkMaking, dryRun: boolean): Promise<Network> {
    const { planner, stored } = this.#changes.input;
    const { isActive: starts = true, isTransient: goes = false, autostart } = making;
    const { uuid, ...before } = record.network;
    // The network is another one, and has another UUID, unless the order names the same.
    const known = order.uuid === uuid ? record.network : before;
    const whole = this.whole({ uuid: randomUUID(), ...order }, 'libvirt', known);
    const { network, moves } = planner.change(whole, record.network, false);
    if (starts) planner.mustStart(network, moves);
    if (dryRun) {
      undoMoves(moves);
      return network;
    }
    const activeId = starts ? stored.activeIds.take() : undefined;
    const revived: NetworkRecord = {
      network: { ...network, source: 'libvirt' },
      ...(goes && { persistent: false }),
      ...(autostart !== undefined && { autostart }),
      ...(activeId !== undefined && { activeId }),
    };
    await stored.put(revived, moves).finally(() => stored.activeIds.done(activeId));
    return network;
  }

  /** The network stays as it is on nodes, and what the definition alone has is given back. */
  async #keepLive(record: NetworkRecord): Promise<void> {
    const { planner, stored } = this.#changes.input;
    const { live, autostart: _, ...rest } = record;
    const moves = live === undefined ? [] : planner.release(record.network, live);
    await stored.put({ ...rest, network: liveOf(record), persistent: false }, moves);
  }

  /** The network that an order names by its number, or else by its name. */
  #knownBy({ number, name }: NetworkOrder): Network | undefined {
    const { known } = this.#changes.input;
    return number === undefined ? known.shown('name', String(name)) : known.shown('number', String(number));
  }

  /** @throws MESH_NET_UUID_TWICE */
  #uuidFor({ uuid, name }: NetworkOrder, source: Network['source'], before?: Network): string | undefined {
    if (typeof uuid === 'string') {
      const holder = this.#changes.input.withUuid(uuid.toLowerCase());
      if (holder !== undefined && holder.id !== before?.id) throw uuidTwice(String(name), uuid, holder);
      if (before?.uuid !== undefined && holder === undefined)
        throw uuidTwice(String(name), this.#input.uuids.of(before), before);
      return uuid.toLowerCase();
    }
    // libvirt makes a UUID for each network that names none.
    return before?.uuid ?? (source === 'libvirt' && before === undefined ? randomUUID() : undefined);
  }
}
