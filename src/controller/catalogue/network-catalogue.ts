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
import { isNetworkNumber, type NetworkId, type NetworkNumber } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import type { CatalogueChange, CatalogueView, NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import { type PoolMove, undoMoves } from '../pools/pool.ts';
import { type ChangeOptions, recordedChange } from './catalogue-change.ts';
import { beingDeleted, inUse, notOfStore, notRead, numberTaken, unknownNetwork } from './catalogue-error.ts';
import { CatalogueState } from './catalogue-state.ts';
import { CatalogueViews } from './catalogue-views.ts';
import { ChangeQueue } from './change-queue.ts';
import { KnownNetworks } from './known-networks.ts';
import { NetworkCreations } from './network-creations.ts';
import { mustBeSupported, NetworkPlanner } from './network-planner.ts';
import { isTakenUp, type NetworkRecord, recordKey, type WrittenDocument } from './network-record.ts';
import { type NetworkUse, NO_USE } from './network-use.ts';
import { type NewRecord, type StoredChange, StoredNetworks, type StoredNetworksInput } from './stored-networks.ts';
import { UnusedNetworks } from './unused-networks.ts';

/** The network that host0 makes at its first start. */
const MAIN = 'main';

/** What the catalogue is given by the process that runs it. */
export interface NetworkCatalogueInput extends Omit<StoredNetworksInput, 'onChange'> {
  /** Absent: nothing uses any network. */
  readonly use?: NetworkUse;
}

/** The networks that have changed; `all` when any may have. */
export type ChangedNetworks = 'all' | ReadonlySet<NetworkId>;

type CatalogueAnswer = Parameters<typeof recordedChange> extends [unknown, ...infer Rest] ? Rest : never;
type OnStoredChange = (change?: StoredChange) => void;

/** Knows all networks, and changes those of the store. */
export class NetworkCatalogue implements HealthSource {
  readonly #input: NetworkCatalogueInput;
  readonly #stored: StoredNetworks;
  readonly #planner: NetworkPlanner;
  readonly #creations: NetworkCreations;
  readonly #state = new CatalogueState();
  readonly #known = new KnownNetworks(this.#state);
  readonly #views: CatalogueViews;
  readonly #changes = new Signal<ChangedNetworks>();
  /** Emits after each change of networks, from any source. */
  readonly changes: Subscribable<ChangedNetworks> = this.#changes;
  #use: NetworkUse;
  #files: readonly Mesh[] = [];
  #meshes: readonly Mesh[] = [];
  #filesKnown = false;
  readonly #unused: UnusedNetworks;
  readonly #queue: ChangeQueue;

  private constructor(input: NetworkCatalogueInput, open: (onChange: OnStoredChange) => StoredNetworks) {
    this.#input = input;
    this.#use = input.use ?? NO_USE;
    const stored = open((change) => this.#judge(change));
    this.#stored = stored;
    const isOrphan = (number: number) => stored.isSpoilt(number) || (this.#use.isOrphan?.(number) ?? false);
    this.#planner = new NetworkPlanner(stored, this.#known, isOrphan);
    this.#creations = new NetworkCreations({ stored, known: this.#known, planner: this.#planner });
    const mustBeRead = () => {
      if (!this.loaded) throw notRead();
    };
    this.#queue = new ChangeQueue(mustBeRead, (creations) => this.#creations.makeAll(creations));
    const use = () => this.#use;
    this.#views = new CatalogueViews({ ...{ state: this.#state, stored, use }, files: () => this.#files });
    this.#unused = new UnusedNetworks({
      ...{ stored, use, journal: input.journal },
      inOrder: (work) => this.#queue.run(work),
    });
  }

  /** Opens the catalogue, and reads the networks of the store. @throws MESH_STORE_BROKEN */
  static async open(input: NetworkCatalogueInput): Promise<NetworkCatalogue> {
    let changed: OnStoredChange = () => undefined;
    const stored = await StoredNetworks.open({ ...input, onChange: (change) => changed(change) });
    const catalogue = new NetworkCatalogue(input, (onChange) => {
      changed = onChange;
      return stored;
    });
    await stored.start();
    return catalogue;
  }

  /** The active networks of all sources. */
  get networks(): readonly Network[] {
    return this.#views.active;
  }

  /**
   * The networks that host0 gives to nodes: the active ones of the store, at a revision of the store. A mesh comes from the files of
   * each node. An unchanged network is the same object as before.
   */
  get given(): { readonly revision: number; readonly networks: readonly Network[] } {
    const [{ revision }, views] = [this.#stored, this.#views];
    return {
      revision,
      get networks() {
        return views.given;
      },
    };
  }

  /** One of the networks that host0 gives to nodes; undefined for any other. */
  givenOf(id: NetworkId): Network | undefined {
    const network = this.#views.activeOf(id);
    return network?.source === 'file' ? undefined : network;
  }

  /** Whether the store has a network as a transaction has written it. */
  isShown(number: NetworkNumber, modRevision: number): boolean {
    return this.#stored.isShown(number, modRevision);
  }

  /** The meshes of the files that are in force. The same list as before while none of them has changed. */
  get meshes(): readonly Mesh[] {
    return this.#meshes;
  }

  /** All networks with what is so of each, by number. */
  views(): readonly CatalogueView[] {
    return this.#views.all();
  }

  /** Moves the pools on, past numbers, prefixes and blocks that the store may have given out and lost. */
  leap(): readonly PoolMove[] {
    const { numbers, prefixes, blocks } = this.#stored;
    return [numbers.leap(), prefixes.leap(), ...blocks.leap()];
  }

  /** The numbers of networks whose records became unreadable while host0 was away. */
  get unreadable(): readonly NetworkNumber[] {
    return this.#stored.unreadable;
  }

  /** Whether the networks of the store have been read. Until then, none of them may be taken for gone. */
  get loaded(): boolean {
    return this.#stored.loaded;
  }

  /** Whether the document of a network cannot be read: the network is not listed, and must not be taken for gone. */
  isSpoilt(number: number): boolean {
    return this.#stored.isSpoilt(number);
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
    if (this.#known.shown('name', MAIN) !== undefined) return;
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
    this.#unused.free();
  }

  /**
   * The network of this name, id, number (`0x1000`) or device.
   * @throws MESH_NET_UNKNOWN
   */
  find(wanted: string): CatalogueView {
    const view = this.#called(wanted);
    const byNode = Map.groupBy(this.#use.ports(view.network.id), ({ node }) => node);
    const holders = Array.from(byNode, ([node, ports]) => ({ node, ports: ports.map((port) => port.interface) }));
    return { ...view, holders };
  }

  /** Makes a network and starts it. @throws MESH_NET_* */
  async create(order: NetworkOrder, { dryRun = false }: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#answer('created', await this.#queue.create(order, dryRun), { dryRun });
  }

  /** Changes the named parts of a network. @throws MESH_NET_* */
  edit(wanted: string, order: NetworkOrder, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#queue.run(() => this.#replace(this.#storedOf(wanted), order, true, options));
  }

  /** Makes a network, or makes the one of this number or name as the order says. @throws MESH_NET_* */
  apply(order: NetworkOrder, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#queue.run(() => {
      const { number, name } = order;
      const known =
        number === undefined ? this.#known.shown('name', String(name)) : this.#known.shown('number', String(number));
      return known === undefined
        ? this.#create(order, options)
        : this.#replace(this.#storedOf(known.id), order, false, options);
    });
  }

  /** Starts a stopped network. */
  start(wanted: string, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#queue.run(async () => {
      const record = this.#storedOf(wanted);
      const { network } = record;
      if (record.activeId !== undefined) return this.#answer('unchanged', network, options);
      mustBeSupported(network);
      if (!options.dryRun) await this.#activate(record);
      return this.#answer('started', network, options);
    });
  }

  /** Stops a network: nodes remove its devices, and its ports wait. */
  stop(wanted: string, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#queue.run(async () => {
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
    return this.#queue.run(async () => {
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
    return this.#queue.run(async () => {
      const known = this.#stored.recordOf(network.number);
      if (known !== undefined && networkDifferences(known.network, { ...network, source: 'store' }).length === 0) {
        return this.#answer('unchanged', known.network, {});
      }
      return this.#create({ ...network }, {});
    });
  }

  /** Takes up a document that a person wrote into the store. @throws MESH_NET_*, MESH_USAGE */
  takeWritten(order: NetworkOrder, written: WrittenDocument): Promise<CatalogueChange> {
    return this.#queue.run(async () => {
      const { number } = order;
      const record = isNetworkNumber(number) ? this.#stored.recordOf(number) : undefined;
      if (record === undefined) return await this.#create(order, { written });
      const { network, from, deleting } = record;
      if (deleting) throw beingDeleted(network);
      const isItsOwn = written.key === recordKey(network.number) || written.key === from?.key;
      if (!isItsOwn) throw numberTaken(String(order.name), network);
      if (isTakenUp(written, from)) {
        if (from?.digest === undefined) await this.#stored.put({ ...record, from: written });
        return this.#answer('unchanged', network, {});
      }
      return await this.#replace(record, order, false, { written });
    });
  }

  /** Writes a record again over a document that is none. @returns its revision @throws MESH_STORE_* */
  keepRecord(number: NetworkNumber, written: WrittenDocument): Promise<number | undefined> {
    return this.#queue.run(() => this.#stored.keep(number, written));
  }

  /** Deletes the networks that were made from documents which are not there any more. */
  dropWritten(present: ReadonlySet<string>): Promise<void> {
    return this.#queue.run(async () => {
      for (const { activeId: _, ...record } of this.#stored.records) {
        const { from, deleting } = record;
        if (from !== undefined && !present.has(from.key) && !deleting) {
          await this.#stored.put({ ...record, deleting: true });
        }
      }
    });
  }

  health(): readonly Finding[] {
    return [...this.#state.refused.values()].map(({ network, error }) =>
      findingOf(error, { object: network.name, severity: 'error' }),
    );
  }

  async close(): Promise<void> {
    await this.#queue.idle();
    this.#stored.close();
  }

  /** @param change of the store; absent: all networks may be others */
  #judge(change?: StoredChange): void {
    const stood = this.#state.refused.size;
    const refused = change
      ? this.#state.judge(change.changed, change.gone)
      : this.#state.judgeAll(
          this.#stored.records.map(({ network }) => network),
          this.#files,
        );
    this.#views.changed();
    // A network that is refused may come into force with any change.
    const isAll = change === undefined || stood > 0 || this.#state.refused.size > 0;
    if (isAll) this.#meshes = internNetworks(this.#meshes, this.#meshesInForce());
    for (const { network, error } of refused) {
      this.#input.journal.failure('network refused', error, { level: 'error', network: network.id });
    }
    this.#unused.free();
    this.#changes.emit(isAll ? 'all' : new Set([...change.changed.map(({ id }) => id), ...change.gone]));
  }

  #meshesInForce(): readonly Mesh[] {
    return this.#files.flatMap(({ id }) => {
      const network = this.#state.inForce(id);
      return network !== undefined && isMesh(network) ? [network] : [];
    });
  }

  async #create(order: NetworkOrder, { dryRun = false, written }: ChangeOptions): Promise<CatalogueChange> {
    const write = ({ record, moves }: NewRecord) => this.#put(record, moves, { ...(written && { written }) });
    return this.#answer('created', await this.#creations.make(order, { dryRun, write }), { dryRun });
  }

  async #activate(record: NetworkRecord): Promise<void> {
    const { activeIds } = this.#stored;
    const activeId = activeIds.take();
    await this.#stored.put({ ...record, activeId }).finally(() => activeIds.leave(activeId));
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
    const { network } = this.#called(wanted);
    const known = this.#stored.recordOf(network.number);
    const record = known?.network.id === network.id ? known : undefined;
    if (record === undefined) throw notOfStore(network);
    if (record.deleting) throw beingDeleted(network);
    return record;
  }

  /** @throws MESH_NET_UNKNOWN */
  #called(wanted: string): CatalogueView {
    const network = this.#known.called(wanted);
    const view = network && this.#views.of(network);
    if (view === undefined) throw unknownNetwork(wanted, this.#views.defined);
    return view;
  }

  #answer(...answer: CatalogueAnswer): CatalogueChange {
    return recordedChange(this.#input.journal, ...answer);
  }
}
