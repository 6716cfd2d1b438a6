/** Activation: networks are started, stopped and changed while they run, and started after a boot of host0's machine. */
import { networkDifferences } from '../../../formats/network/network-differences.ts';
import { orderedNetwork } from '../../../formats/network/ordered-network.ts';
import { MeshError } from '../../../model/error.ts';
import type { Network } from '../../../model/network/network.ts';
import type { NetworkId } from '../../../model/network/number.ts';
import type { CatalogueChange, NetworkOrder } from '../../../protocol/documents/catalogue.ts';
import { type PoolMove, undoMoves } from '../../pools/pool.ts';
import type { ChangeOptions } from '../catalogue-change.ts';
import { isActiveAlready, isNotActive, isTransient, uuidTwice } from '../catalogue-error.ts';
import { isActive, liveOf, type NetworkRecord } from '../network-record.ts';
import type { NewRecord } from '../stored-networks.ts';
import type { DefineOptions, NetworkDefinitions } from './network-definitions.ts';
import type { NetworkUuids } from './network-uuids.ts';
import { type RecordChanges, undoing } from './record-changes.ts';
import type { PlannedRecord } from './shared-changes.ts';

/** What a change of a part concerns. */
export interface UpdateOptions extends ChangeOptions {
  /** The network as nodes have it. */
  readonly live?: boolean;
  /** The definition. Where neither is named, the live form of an active network, else the definition. */
  readonly config?: boolean;
}

/** Starts and stops networks. */
export class NetworkActivations {
  readonly #changes: RecordChanges;
  readonly #definitions: NetworkDefinitions;
  readonly #uuids: NetworkUuids;

  constructor(changes: RecordChanges, definitions: NetworkDefinitions, uuids: NetworkUuids) {
    this.#changes = changes;
    this.#definitions = definitions;
    this.#uuids = uuids;
  }

  /** Starts a stopped network, as it is defined. For one that runs, the answer is `unchanged`. @throws MESH_NET_* */
  start(wanted: string, options: ChangeOptions): Promise<CatalogueChange> {
    const plan = () => {
      const record = this.#changes.storedOf(wanted);
      if (isActive(record) || options.dryRun) return undefined;
      this.#changes.input.planner.mustStart(record.network);
      return this.#started(record);
    };
    const alone = async () => {
      const record = this.#changes.storedOf(wanted);
      const { network } = record;
      if (isActive(record)) return this.#changes.answer('unchanged', liveOf(record), options);
      this.#changes.input.planner.mustStart(network);
      if (!options.dryRun) await this.#activate(record);
      return this.#changes.answer('started', network, options);
    };
    return this.#changes.share(plan, alone, ({ network }) => this.#changes.answer('started', network, options));
  }

  /**
   * Makes a network that runs, and that goes when it is stopped. A stopped network of the same name and UUID is started as the order
   * says, and keeps its definition.
   * @throws MESH_NET_*
   */
  createTransient(order: NetworkOrder, { source = 'store', ...options }: DefineOptions): Promise<CatalogueChange> {
    const making = { isTransient: true, source };
    const known = () => this.#changes.input.known.shown('name', String(order.name));
    const alone = async () => {
      const record = this.#definitions.standing(known(), source);
      if (record !== undefined) return await this.#startAs(record, order, source, options);
      const network = await this.#definitions.madeNew(order, making, options);
      return this.#changes.answer('created', network, options);
    };
    const plan = () =>
      known() === undefined && !options.dryRun ? this.#definitions.planNew(order, making) : undefined;
    return this.#changes.share(plan, alone, ({ network }) => this.#changes.answer('created', network, options));
  }

  /** Stops a network: nodes remove its devices, and its ports wait. A transient network goes. @throws MESH_NET_IN_USE */
  stop(wanted: string, options: ChangeOptions): Promise<CatalogueChange> {
    let live: Network | undefined;
    const plan = (): PlannedRecord | undefined => {
      const record = this.#changes.storedOf(wanted);
      if (!isActive(record) || options.dryRun) return undefined;
      live = liveOf(record);
      if (record.persistent !== false) return { ...this.#stopped(record), end: () => undefined };
      // The ports of a transient network would wait for ever.
      const dropped = this.#changes.droppedRecord(record);
      return dropped && { record: dropped, moves: [], end: () => undefined };
    };
    const alone = async () => {
      const record = this.#changes.storedOf(wanted);
      if (!isActive(record)) return this.#changes.answer('unchanged', record.network, options);
      if (record.persistent === false) this.#changes.portsOf(record);
      if (!options.dryRun) await this.#deactivate(record);
      return this.#changes.answer('stopped', liveOf(record), options);
    };
    return this.#changes.share(plan, alone, ({ network }) => this.#changes.answer('stopped', live ?? network, options));
  }

  /** Says whether a boot of host0's machine starts the network. @throws MESH_NET_TRANSIENT */
  setAutostart(wanted: string, autostart: boolean, options: ChangeOptions): Promise<CatalogueChange> {
    return this.#changes.run(async () => {
      const record = this.#changes.storedOf(wanted);
      const { network } = record;
      if (record.persistent === false) throw isTransient(network, 'started by a boot');
      if (record.autostart === autostart) return this.#changes.answer('unchanged', network, options);
      if (!options.dryRun) await this.#changes.input.stored.put({ ...record, autostart });
      const [before, after] = [record.autostart, autostart].map(autostartText);
      return this.#changes.answer('changed', network, options, [`autostart ${before} → ${after}`]);
    });
  }

  /**
   * Changes a network by a function, where it runs, in its definition, or both.
   * @throws MESH_NET_INACTIVE, MESH_NET_TRANSIENT, MESH_NET_*, and what the function throws; then nothing has changed
   */
  update(wanted: string, change: (network: Network) => Network, options: UpdateOptions): Promise<CatalogueChange> {
    return this.#changes.run(async () => {
      const record = this.#changes.storedOf(wanted);
      const active = isActive(record);
      const isNeither = !options.live && !options.config;
      const live = options.live || (isNeither && active);
      const config = options.config || (isNeither && !active);
      if (live && !active) throw isNotActive(record.network);
      if (config && record.persistent === false) throw isTransient(record.network, 'changed in its definition');
      const before = liveOf(record);
      const { after, moves } = this.#updated(record, change, { live, config });
      const differences = [
        ...networkDifferences(record.network, after.network),
        ...(record.live === undefined && after.live === undefined ? [] : networkDifferences(before, liveOf(after))),
      ];
      if (active && live) this.#changes.input.planner.mustStart(liveOf(after), moves);
      if (options.dryRun || differences.length === 0) undoMoves(moves);
      else await this.#changes.input.stored.put(after, moves);
      const kind = differences.length === 0 ? 'unchanged' : 'changed';
      return this.#changes.answer(kind, liveOf(after), options, [...new Set(differences)]);
    });
  }

  /** Changes the parts that an order names, as `update` does. The network keeps its number and its name. @throws those of `update` */
  editForms(wanted: string, { number: _, name: __, ...order }: NetworkOrder, options: UpdateOptions) {
    return this.update(wanted, (network) => orderedNetwork(order, network, network), options);
  }

  /**
   * Brings networks to the state that a boot of host0's machine gives them: one that starts by itself is started; one that does not,
   * and a transient one, is not active any more, unless other nodes still have it. Those ran on, and their guests must lose nothing.
   * The ports of a transient network are those of guests that the boot has ended.
   * @param own the name of the node on host0's machine
   * @param open the networks to decide on
   * @returns those that the store kept from being written: they are to be tried again
   */
  afterBoot(own: string, open: readonly NetworkId[]): Promise<readonly NetworkId[]> {
    return this.#changes.run(async () => {
      const { stored, use, journal } = this.#changes.input;
      const ids = new Set(open);
      const failed: NetworkId[] = [];
      for (const record of stored.records) {
        if (record.deleting || !ids.has(record.network.id)) continue;
        try {
          if (isActive(record)) {
            const isKept = record.autostart ?? record.persistent !== false;
            const others = use()
              .nodes(record.network.id)
              ?.filter((name) => name !== own);
            if (isKept || others === undefined || others.length > 0) continue;
            await this.#deactivate(record, true);
            this.#changes.answer('stopped', liveOf(record), {});
          } else if (record.autostart === true) {
            this.#changes.input.planner.mustStart(record.network);
            await this.#activate(record);
            this.#changes.answer('started', record.network, {});
          }
        } catch (thrown) {
          journal.failure('network not started', thrown, { network: record.network.id });
          if (MeshError.from(thrown).code.startsWith('MESH_STORE_')) failed.push(record.network.id);
        }
      }
      return failed;
    });
  }

  /** Starts a defined network in another form than its definition. */
  async #startAs(
    record: NetworkRecord,
    order: NetworkOrder,
    source: 'store' | 'libvirt',
    options: ChangeOptions,
  ): Promise<CatalogueChange> {
    const { network: before } = record;
    // libvirt takes only an order with the same UUID for the same network.
    if (source === 'libvirt' && order.uuid === undefined) throw uuidTwice(before.name, this.#uuids.of(before), before);
    const whole = this.#definitions.wholeOf(order, source, before);
    if (isActive(record)) throw isActiveAlready(before);
    const { network, moves } = this.#changes.input.planner.change(whole, before, false, before);
    this.#changes.input.planner.mustStart(network, moves);
    if (options.dryRun) undoMoves(moves);
    else await this.#activate(record, network, moves);
    return this.#changes.answer('started', network, options);
  }

  #updated(
    record: NetworkRecord,
    change: (network: Network) => Network,
    { live, config }: { readonly live: boolean | undefined; readonly config: boolean | undefined },
  ): { readonly after: NetworkRecord; readonly moves: readonly PoolMove[] } {
    const { planner } = this.#changes.input;
    const before = liveOf(record);
    const changed = (network: Network, beside: Network | undefined) =>
      planner.change({ ...change(network) }, network, false, beside);
    const isOne = record.live === undefined;
    // A transient network has one form only, and so has a network whose both forms are the same and change together.
    if (isOne && (record.persistent === false || (live && config) || !isActive(record))) {
      const { network, moves } = changed(record.network, undefined);
      return { after: { ...record, network }, moves };
    }
    const definition = config ? changed(record.network, before) : { network: record.network, moves: [] };
    const moves = [...definition.moves];
    const now = live ? undoing(moves, () => changed(before, definition.network)) : { network: before, moves: [] };
    moves.push(...now.moves);
    return { after: this.#changes.withForms(record, definition.network, now.network), moves };
  }

  async #activate(record: NetworkRecord, live = record.network, moves: readonly PoolMove[] = []): Promise<void> {
    const started = this.#started(record, live, moves);
    await this.#changes.input.stored.put(started.record, moves).finally(started.end);
  }

  #started(record: NetworkRecord, live = record.network, moves: readonly PoolMove[] = []): PlannedRecord {
    const { known, stored } = this.#changes.input;
    const activeId = stored.activeIds.take();
    const endStart = known.beginStart(live);
    const started = this.#changes.withForms({ ...record, activeId }, record.network, live);
    const end = () => {
      stored.activeIds.done(activeId);
      endStart();
    };
    return { record: started, moves, end };
  }

  async #deactivate(record: NetworkRecord, force = false): Promise<void> {
    if (record.persistent === false) {
      await this.#changes.drop(record, { force });
      return;
    }
    const stopped = this.#stopped(record);
    await this.#changes.input.stored.put(stopped.record, stopped.moves);
  }

  #stopped({ activeId: _, live, ...record }: NetworkRecord): NewRecord {
    const { planner } = this.#changes.input;
    return { record, moves: live === undefined ? [] : planner.release(live, record.network) };
  }
}

function autostartText(autostart: boolean | undefined): string {
  return autostart === undefined ? 'as before' : autostart ? 'yes' : 'no';
}
