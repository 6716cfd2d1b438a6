/**
 * The catalogue: all networks that host0 knows, from all sources. Files define meshes, which are always active. The store defines
 * the networks that commands make (`/v1/networks/<hex>`), which can be started and stopped. A network is changed only where it is
 * defined.
 *
 * Changes are carried out one after another, each in one transaction with the numbers and prefixes that it takes or gives back.
 */

import { networkDifferences } from '../../formats/network/network-differences.ts';
import { isMesh, type Mesh } from '../../model/network/mesh.ts';
import type { Network } from '../../model/network/network.ts';
import { internNetworks } from '../../model/network/network-equality.ts';
import { hexNumber, type NetworkId, type NetworkNumber } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type {
  CatalogueChange,
  CatalogueView,
  NetworkActivity,
  NetworkOrder,
} from '../../protocol/documents/catalogue.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { PoolMove } from '../pools/pool.ts';
import { beingDeleted, groupWarning, inUse, notOfStore, notRead, numberTaken } from './catalogue-error.ts';
import { type Judgement, judgeCatalogue, NOTHING_IN_FORCE } from './catalogue-state.ts';
import { activityOf, calledNetwork, freeActiveId } from './catalogue-views.ts';
import { mustBeSupported, NetworkPlanner, undoMoves } from './network-planner.ts';
import { type NetworkRecord, recordKey, type WrittenDocument } from './network-record.ts';
import { type NetworkUse, NO_USE } from './network-use.ts';
import { StoredNetworks, type StoredNetworksInput } from './stored-networks.ts';

/** The network that host0 makes at its first start. */
const MAIN = 'main';

/** What the catalogue is given by the process that runs it. */
export interface NetworkCatalogueInput extends Omit<StoredNetworksInput, 'onChange'> {
  /** Absent: nothing uses any network. */
  readonly use?: NetworkUse;
}

/** How a change is asked for. */
export interface ChangeOptions {
  /** Says what would be done, and does nothing. */
  readonly dryRun?: boolean;
  /** The document in the store that the order is. */
  readonly written?: WrittenDocument;
}

/** Knows all networks, and changes those of the store. */
export class NetworkCatalogue implements HealthSource {
  readonly #input: NetworkCatalogueInput;
  readonly #stored: StoredNetworks;
  readonly #planner: NetworkPlanner;
  readonly #changes = new Signal<void>();
  /** Emits after each change of any network, from any source. */
  readonly changes: Subscribable<void> = this.#changes;
  #use: NetworkUse;
  #files: readonly Mesh[] = [];
  #meshes: readonly Mesh[] = [];
  #filesKnown = false;
  #judgement: Judgement = NOTHING_IN_FORCE;
  #last: Promise<unknown> = Promise.resolve();
  /** The networks that are being freed. */
  readonly #freeing = new Set<NetworkNumber>();

  private constructor(input: NetworkCatalogueInput, open: (onChange: () => void) => StoredNetworks) {
    this.#input = input;
    this.#use = input.use ?? NO_USE;
    this.#stored = open(() => this.#judge());
    this.#planner = new NetworkPlanner(
      this.#stored,
      () => this.#all,
      (number) => this.#stored.isSpoilt(number) || (this.#use.isOrphan?.(number) ?? false),
    );
  }

  /** Opens the catalogue, and reads the networks of the store. @throws MESH_STORE_BROKEN */
  static async open(input: NetworkCatalogueInput): Promise<NetworkCatalogue> {
    let changed = (): void => undefined;
    const stored = await StoredNetworks.open({ ...input, onChange: () => changed() });
    const catalogue = new NetworkCatalogue(input, (onChange) => {
      changed = onChange;
      return stored;
    });
    await stored.start();
    return catalogue;
  }

  /** The active networks of all sources. */
  get networks(): readonly Network[] {
    return this.#views.filter(({ activity }) => activity.phase === 'active').map(({ network }) => network);
  }

  /**
   * The networks that host0 gives to nodes: the active ones of the store, at a revision of the store. A mesh comes from the files of
   * each node. An unchanged network is the same object as before.
   */
  get given(): { readonly revision: number; readonly networks: readonly Network[] } {
    return { revision: this.#stored.revision, networks: this.networks.filter(({ source }) => source !== 'file') };
  }

  /** The meshes of the files that are in force. The same list as before while none of them has changed. */
  get meshes(): readonly Mesh[] {
    return this.#meshes;
  }

  /** All networks with what is so of each, by number. */
  views(): readonly CatalogueView[] {
    return this.#views;
  }

  /** Moves the pools on, past numbers, prefixes and blocks that the store may have given out and lost. */
  leap(): readonly PoolMove[] {
    const { numbers, prefixes, blocks } = this.#stored;
    return [numbers.leap(), prefixes.leap(), ...blocks.leap()];
  }

  /** Whether the networks of the store have been read. Until then, none of them may be taken for gone. */
  get loaded(): boolean {
    return this.#stored.loaded;
  }

  /** Takes the meshes of host0's files. A mesh that collides with an older network is not in force. */
  setFiles(files: readonly Mesh[]): void {
    this.#files = files;
    this.#filesKnown = true;
    this.#judge();
  }

  /** Makes `main` in a new store, where the name is free. Call this when the files have been taken. */
  async makeMain(): Promise<void> {
    if (!this.loaded || !this.#filesKnown || !this.#stored.numbers.isNew || this.#stored.numbers.taken.length > 0)
      return;
    if (this.#all.some(({ name }) => name === MAIN)) return;
    const order = { name: MAIN, description: 'made at the first start of host0' };
    await this.create(order).catch((thrown: unknown) => this.#input.journal.failure('network not made', thrown));
  }

  /** Says who uses the networks. Networks that are being deleted go when nobody does. */
  usedBy(use: NetworkUse): void {
    this.#use = use;
    this.usesChanged();
  }

  /** To be called when a node may have removed a network. */
  usesChanged(): void {
    this.#freeUnused();
  }

  /**
   * The network of this name, id, number (`0x1000`) or device.
   * @throws MESH_NET_UNKNOWN
   */
  find(wanted: string): CatalogueView {
    const view = calledNetwork(this.#views, wanted);
    const byNode = Map.groupBy(this.#use.ports(view.network.id), ({ node }) => node);
    const holders = Array.from(byNode, ([node, ports]) => ({ node, ports: ports.map((port) => port.interface) }));
    return { ...view, holders };
  }

  /** Makes a network and starts it. @throws MESH_NET_* */
  create(order: NetworkOrder, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#inOrder(() => this.#create(order, options));
  }

  /** Changes the named parts of a network. @throws MESH_NET_* */
  edit(wanted: string, order: NetworkOrder, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#inOrder(() => this.#replace(this.#storedOf(wanted), order, true, options));
  }

  /** Makes a network, or makes the one of this number or name as the order says. @throws MESH_NET_* */
  apply(order: NetworkOrder, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#inOrder(() => {
      const { number, name } = order;
      const known = this.#views.find(({ network }) =>
        number === undefined ? network.name === name : network.number === number,
      );
      return known === undefined
        ? this.#create(order, options)
        : this.#replace(this.#storedOf(known.network.id), order, false, options);
    });
  }

  /** Starts a stopped network. */
  start(wanted: string, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#inOrder(async () => {
      const record = this.#storedOf(wanted);
      const { network } = record;
      if (record.activeId !== undefined) return this.#answer('unchanged', network, options);
      mustBeSupported(network);
      if (!options.dryRun) await this.#stored.put({ ...record, activeId: freeActiveId(this.#stored.records) });
      return this.#answer('started', network, options);
    });
  }

  /** Stops a network: nodes remove its devices, and its ports wait. */
  stop(wanted: string, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#inOrder(async () => {
      const { activeId, ...record } = this.#storedOf(wanted);
      if (activeId === undefined) return this.#answer('unchanged', record.network, options);
      if (!options.dryRun) await this.#stored.put(record);
      return this.#answer('stopped', record.network, options);
    });
  }

  /**
   * Deletes a network. Its number is free when no node has the network any more.
   * @param force unplugs the network's ports first
   * @throws MESH_NET_IN_USE
   */
  remove(wanted: string, { force = false, ...options }: ChangeOptions & { readonly force?: boolean } = {}) {
    return this.#inOrder(async () => {
      const { activeId: _, ...record } = this.#storedOf(wanted);
      const { network } = record;
      const ports = this.#use.ports(network.id);
      if (ports.length > 0 && !force) throw inUse(network, ports);
      if (options.dryRun) return this.#answer('deleted', network, options);
      if (ports.length > 0) await this.#use.unplug(network.id);
      const isUnused = this.#use.nodes(network.id)?.length === 0;
      if (isUnused) await this.#stored.remove(record);
      else await this.#stored.put({ ...record, deleting: true });
      return this.#answer('deleted', network, options);
    });
  }

  /** Takes a network up that a node has and the store has lost, as it is. @throws MESH_NET_* */
  adopt(network: Network): Promise<CatalogueChange> {
    return this.#inOrder(async () => {
      const known = this.#stored.records.find((record) => record.network.number === network.number);
      if (known !== undefined && networkDifferences(known.network, { ...network, source: 'store' }).length === 0) {
        return this.#answer('unchanged', known.network, {});
      }
      return this.#create({ ...network }, {});
    });
  }

  /** Takes up a document that a person wrote into the store. @throws MESH_NET_*, MESH_USAGE */
  takeWritten(order: NetworkOrder, written: WrittenDocument): Promise<CatalogueChange> {
    return this.#inOrder(async () => {
      const record = this.#stored.records.find(({ network }) => network.number === order.number);
      if (record === undefined) return await this.#create(order, { written });
      const { network, from, deleting } = record;
      if (deleting) throw beingDeleted(network);
      const isItsOwn = written.key === recordKey(network.number) || written.key === from?.key;
      if (!isItsOwn) throw numberTaken(String(order.name), network);
      if (written.modRevision === from?.modRevision) return this.#answer('unchanged', network, {});
      return await this.#replace(record, order, false, { written });
    });
  }

  /** Deletes the networks that were made from documents which are not there any more. */
  dropWritten(present: ReadonlySet<string>): Promise<void> {
    return this.#inOrder(async () => {
      for (const { activeId: _, ...record } of this.#stored.records) {
        const { from, deleting } = record;
        if (from !== undefined && !present.has(from.key) && !deleting) {
          await this.#stored.put({ ...record, deleting: true });
        }
      }
    });
  }

  health(): readonly Finding[] {
    return [...this.#judgement.refused.values()].map(({ network, error }) =>
      findingOf(error, { object: network.name, severity: 'error' }),
    );
  }

  async close(): Promise<void> {
    await this.#last;
    this.#stored.close();
  }

  get #all(): readonly Network[] {
    return [...this.#stored.records.map(({ network }) => network), ...this.#files];
  }

  get #views(): readonly CatalogueView[] {
    const { refused, inForce } = this.#judgement;
    const activities = new Map<NetworkId, NetworkActivity>();
    for (const record of this.#stored.records) activities.set(record.network.id, activityOf(record, this.#use));
    const views = this.#all.map((network): CatalogueView => {
      const refusal = refused.get(network.id);
      if (refusal !== undefined) return { network, activity: { phase: 'refused', error: refusal.error.toJSON() } };
      const activity = activities.get(network.id) ?? { phase: 'active' };
      return { network: inForce.get(network.id) ?? network, activity };
    });
    return views.sort((a, b) => a.network.number - b.network.number);
  }

  #judge(): void {
    const before = this.#judgement;
    const stored = this.#stored.records.map(({ network }) => network);
    this.#judgement = judgeCatalogue(before.inForce, stored, this.#files);
    const { inForce } = this.#judgement;
    const meshes = this.#files.flatMap(({ id }) => {
      const network = inForce.get(id);
      return network !== undefined && isMesh(network) ? [network] : [];
    });
    this.#meshes = internNetworks(this.#meshes, meshes);
    for (const [id, { network, error }] of this.#judgement.refused) {
      if (before.refused.get(id)?.error.message === error.message) continue;
      this.#input.journal.failure('network refused', error, { level: 'error', network: network.id });
    }
    this.#freeUnused();
    this.#changes.emit();
  }

  async #create(order: NetworkOrder, options: ChangeOptions): Promise<CatalogueChange> {
    const { network, moves } = this.#planner.create(order);
    mustBeSupported(network, moves);
    if (options.dryRun) undoMoves(moves);
    else await this.#put({ format: 1, network, activeId: freeActiveId(this.#stored.records) }, moves, options);
    return this.#answer('created', network, options);
  }

  /** @param isEdit whether parts that the order does not name stay as they are, or become as in a new network */
  async #replace(
    record: NetworkRecord,
    order: NetworkOrder,
    isEdit: boolean,
    options: ChangeOptions,
  ): Promise<CatalogueChange> {
    const before = record.network;
    const { network, moves } = this.#planner.change(order, before, isEdit);
    const differences = networkDifferences(before, network);
    if (record.activeId !== undefined && differences.length > 0) mustBeSupported(network, moves);
    if (options.dryRun || (differences.length === 0 && moves.length === 0 && options.written === undefined)) {
      undoMoves(moves);
    } else await this.#put({ ...record, network }, moves, options);
    return this.#answer(differences.length === 0 ? 'unchanged' : 'changed', network, options, differences);
  }

  async #put(record: NetworkRecord, moves: readonly PoolMove[], { written }: ChangeOptions): Promise<void> {
    if (written === undefined) await this.#stored.put(record, moves);
    else if (written.key === recordKey(record.network.number)) await this.#stored.put(record, moves, written);
    else await this.#stored.put({ ...record, from: written }, moves);
  }

  /** The record of a network that can be changed. @throws MESH_NET_UNKNOWN, MESH_NET_SOURCE */
  #storedOf(wanted: string): NetworkRecord {
    const { network } = calledNetwork(this.#views, wanted);
    const record = this.#stored.records.find(({ network: { id } }) => id === network.id);
    if (record === undefined) throw notOfStore(network);
    if (record.deleting) throw beingDeleted(network);
    return record;
  }

  /** Removes the records of deleted networks that no node has, and frees their numbers. */
  #freeUnused(): void {
    const unused = (id: NetworkId) => this.#use.nodes(id)?.length === 0;
    for (const record of this.#stored.records) {
      const { network } = record;
      if (record.deleting && unused(network.id)) this.#free(network.number, () => this.#stored.remove(record));
    }
    for (const number of this.#stored.lost) {
      if (!unused(`net-${hexNumber(number)}` as NetworkId)) continue;
      this.#free(number, async () => {
        // The number may have been that of a network whose making was under way.
        if (this.#stored.lost.includes(number)) await this.#stored.free(number);
      });
    }
  }

  /** On a failure, the next change tries again. */
  #free(number: NetworkNumber, work: () => Promise<void>): void {
    if (this.#freeing.has(number)) return;
    this.#freeing.add(number);
    this.#inOrder(work)
      .catch((thrown: unknown) => this.#input.journal.failure('network not freed', thrown))
      .finally(() => this.#freeing.delete(number));
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => {
      if (!this.loaded) throw notRead();
      return work();
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  #answer(
    change: CatalogueChange['change'],
    network: Network,
    { dryRun = false }: ChangeOptions,
    differences: readonly string[] = [],
  ): CatalogueChange {
    const warnings = [groupWarning(network)].flatMap((warning) => warning?.toJSON() ?? []);
    if (!dryRun && change !== 'unchanged') {
      const message = differences.length === 0 ? network.name : `${network.name}: ${differences.join(', ')}`;
      this.#input.journal.record({ kind: `network ${change}`, message, network: network.id, object: network.name });
    }
    return { change, network, differences, warnings, dryRun };
  }
}
