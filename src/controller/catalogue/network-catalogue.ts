/**
 * The catalogue: all networks that host0 knows, from all sources. Files define meshes, which are always active. The store defines
 * the networks that commands make (`/v1/networks/<hex>`), which can be started and stopped. A network is changed only where it is
 * defined.
 *
 * Changes are carried out one after another, each in one transaction with the numbers and prefixes that it takes or gives back.
 */

import type { Mesh } from '../../model/network/mesh.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId, NetworkNumber } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import {
  type CatalogueChange,
  type CatalogueView,
  definitionIn,
  isPersistentView,
  type NetworkOrder,
} from '../../protocol/documents/catalogue.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { PoolMove } from '../pools/pool.ts';
import type { ChangeOptions } from './catalogue-change.ts';
import { notRead } from './catalogue-error.ts';
import { CatalogueMeshes } from './catalogue-meshes.ts';
import { CatalogueState } from './catalogue-state.ts';
import { CatalogueViews } from './catalogue-views.ts';
import { type BootOfHost0, decideOnce } from './changes/boot-book.ts';
import { ChangeQueue } from './changes/change-queue.ts';
import { NetworkActivations, type UpdateOptions } from './changes/network-activations.ts';
import { type DefineOptions, NetworkDefinitions } from './changes/network-definitions.ts';
import { NetworkUuids } from './changes/network-uuids.ts';
import { RecordChanges } from './changes/record-changes.ts';
import { SharedChanges } from './changes/shared-changes.ts';
import { WrittenDefinitions } from './changes/written-definitions.ts';
import { KnownNetworks } from './known-networks.ts';
import { NetworkCreations } from './network-creations.ts';
import type { LifecycleEvent } from './network-lifecycle.ts';
import { NetworkPlanner } from './network-planner.ts';
import { liveOf, type WrittenDocument } from './network-record.ts';
import { type NetworkUse, NO_USE } from './network-use.ts';
import { type StoredChange, StoredNetworks, type StoredNetworksInput } from './stored-networks.ts';
import { UnusedNetworks } from './unused-networks.ts';
import type { DeviceIn } from './used-subnets.ts';

/** The network that host0 makes at its first start. */
const MAIN = 'main';

/** What the catalogue is given by the process that runs it. */
export interface NetworkCatalogueInput extends Omit<StoredNetworksInput, 'onChange'> {
  /** Absent: nothing uses any network. */
  readonly use?: NetworkUse;
  /** Whether host0's machine has a device of this name. Absent: no. */
  readonly hasDevice?: (name: string) => boolean;
  /** Absent: none. */
  readonly deviceIn?: DeviceIn;
}

/** The networks that have changed; `all` when any may have. */
export type ChangedNetworks = 'all' | ReadonlySet<NetworkId>;

type OnStoredChange = (change?: StoredChange) => void;

/** Knows all networks, and changes those of the store. */
export class NetworkCatalogue implements HealthSource {
  readonly #input: NetworkCatalogueInput;
  readonly #stored: StoredNetworks;
  readonly #state = new CatalogueState();
  readonly #known = new KnownNetworks(this.#state);
  readonly #views: CatalogueViews;
  readonly #changes = new Signal<ChangedNetworks>();
  /** Emits after each change of networks, from any source. */
  readonly changes: Subscribable<ChangedNetworks> = this.#changes;
  readonly #lifecycle = new Signal<LifecycleEvent>();
  /** Emits what becomes of networks, whichever command, document or file did it, when it is in the store. */
  readonly lifecycle: Subscribable<LifecycleEvent> = this.#lifecycle;
  readonly #recordChanges: RecordChanges;
  readonly #definitions: NetworkDefinitions;
  readonly #activations: NetworkActivations;
  readonly #written: WrittenDefinitions;
  readonly #uuids: NetworkUuids;
  #use: NetworkUse;
  /** Undefined until the files have been read. */
  #files: readonly Mesh[] | undefined;
  readonly #meshes = new CatalogueMeshes(this.#state);
  readonly #unused: UnusedNetworks;
  readonly #queue: ChangeQueue;

  private constructor(
    input: NetworkCatalogueInput,
    uuids: NetworkUuids,
    open: (onChange: OnStoredChange) => StoredNetworks,
  ) {
    this.#input = input;
    this.#use = input.use ?? NO_USE;
    const stored = open((change) => this.#judge(change));
    this.#stored = stored;
    const isOrphan = (number: number) => stored.isSpoilt(number) || (this.#use.isOrphan?.(number) ?? false);
    const known = this.#known;
    const planner = new NetworkPlanner(stored, known, isOrphan, input.deviceIn);
    const creations = new NetworkCreations({ stored, known, planner });
    const shared = new SharedChanges(stored);
    const mustBeRead = () => {
      if (!this.loaded) throw notRead();
    };
    this.#queue = new ChangeQueue(mustBeRead, (group) => shared.carryOut(group));
    const use = () => this.#use;
    const views = new CatalogueViews({ ...{ state: this.#state, stored, use }, files: () => this.#files ?? [] });
    this.#views = views;
    stored.lifecycle.subscribe((event) => this.#lifecycle.emit(event));
    const { journal, hasDevice = () => false } = input;
    const withUuid = (uuid: string) => uuids.find(uuid);
    const changes = new RecordChanges({
      stored,
      known,
      planner,
      creations,
      views,
      queue: this.#queue,
      journal,
      use,
      withUuid,
    });
    this.#recordChanges = changes;
    this.#uuids = uuids;
    this.#definitions = new NetworkDefinitions({ changes, uuids, hasDevice });
    this.#activations = new NetworkActivations(changes, this.#definitions, uuids);
    this.#written = new WrittenDefinitions(changes, this.#definitions);
    this.#unused = new UnusedNetworks({
      ...{ stored, use, journal: input.journal },
      inOrder: (work) => this.#queue.run(work),
    });
  }

  /** Opens the catalogue, and reads the networks of the store. @throws MESH_STORE_BROKEN */
  static async open(input: NetworkCatalogueInput): Promise<NetworkCatalogue> {
    let changed: OnStoredChange = () => undefined;
    const [stored, uuids] = await Promise.all([
      StoredNetworks.open({ ...input, onChange: (change) => changed(change) }),
      NetworkUuids.open(input.store),
    ]);
    const catalogue = new NetworkCatalogue(input, uuids, (onChange) => {
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
    return this.#meshes.list;
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
    this.#judge();
  }

  /** Makes `main` in a new store, where the name is free. Call this when the files have been taken. */
  async makeMain(): Promise<void> {
    if (
      !this.loaded ||
      this.#files === undefined ||
      !this.#stored.numbers.isNew ||
      this.#stored.numbers.taken.length > 0
    )
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
   * The network of this name, id, number (`0x1000`), device or UUID.
   * @throws MESH_NET_UNKNOWN
   */
  find(wanted: string): CatalogueView {
    const view = this.#recordChanges.called(wanted);
    const byNode = Map.groupBy(this.#use.ports(view.network.id), ({ node }) => node);
    const holders = Array.from(byNode, ([node, ports]) => ({ node, ports: ports.map((port) => port.interface) }));
    return { ...view, uuid: this.#uuids.of(view.network), holders };
  }

  /** The network with exactly this name, UUID or device; undefined when there is none. */
  lookUp(part: 'name' | 'uuid' | 'device', text: string): CatalogueView | undefined {
    const known = this.#known;
    const network =
      part === 'uuid' ? this.#uuids.find(text) : part === 'name' ? known.shown(part, text) : known.withDevice(text);
    return network && this.#views.of(network);
  }

  /** Makes a network and starts it. @throws MESH_NET_* */
  create(order: NetworkOrder, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#definitions.create(order, options);
  }

  /** Changes the named parts of a network. @throws MESH_NET_* */
  edit(wanted: string, order: NetworkOrder, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#definitions.edit(wanted, order, options);
  }

  /** Makes a network, or makes the one of this number or name as the order says. @throws MESH_NET_* */
  apply(order: NetworkOrder, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#definitions.apply(order, options);
  }

  /** Makes a stopped network, or defines one anew; where that one is active, it stays as it is until it is stopped. @throws MESH_NET_* */
  define(order: NetworkOrder, options: DefineOptions = {}): Promise<CatalogueChange> {
    return this.#definitions.define(order, options);
  }

  /** Makes a network that runs, and that goes when it is stopped. @throws MESH_NET_* */
  createTransient(order: NetworkOrder, options: DefineOptions = {}): Promise<CatalogueChange> {
    return this.#activations.createTransient(order, options);
  }

  /** Gives a definition up: an active network becomes transient, a stopped one goes. @throws MESH_NET_TRANSIENT, MESH_NET_IN_USE */
  undefine(wanted: string, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#definitions.undefine(wanted, options);
  }

  /** Starts a stopped network. @throws MESH_NET_* */
  start(wanted: string, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#activations.start(wanted, options);
  }

  /** Stops a network: nodes remove its devices, and its ports wait. A transient network goes. @throws MESH_NET_* */
  stop(wanted: string, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#activations.stop(wanted, options);
  }

  /** Says whether a boot of host0's machine starts the network. @throws MESH_NET_TRANSIENT */
  setAutostart(wanted: string, autostart: boolean, options: ChangeOptions = {}): Promise<CatalogueChange> {
    return this.#activations.setAutostart(wanted, autostart, options);
  }

  /** Changes a network by a function, where it runs, in its definition, or both. @throws MESH_NET_* */
  update(wanted: string, change: (network: Network) => Network, options: UpdateOptions = {}): Promise<CatalogueChange> {
    return this.#activations.update(wanted, change, options);
  }

  /** Changes the named parts of a network where it runs, in its definition, or in both. @throws MESH_NET_* */
  editForms(wanted: string, order: NetworkOrder, options: UpdateOptions = {}): Promise<CatalogueChange> {
    return this.#activations.editForms(wanted, order, options);
  }

  /** Deletes a network; with `force`, its ports are unplugged first. @throws MESH_NET_IN_USE */
  remove(wanted: string, options: ChangeOptions & { readonly force?: boolean } = {}): Promise<CatalogueChange> {
    return this.#definitions.remove(wanted, options);
  }

  /** Takes a network up that a node has and the store has lost, as it is. @throws MESH_NET_* */
  adopt(network: Network): Promise<CatalogueChange> {
    return this.#definitions.adopt(network);
  }

  /** Starts and stops what a boot of host0's machine does. @returns whether all is done; if not, call again @throws MESH_STORE_* */
  async booted(boot: BootOfHost0, own: string): Promise<boolean> {
    if (!this.loaded) return false;
    const all = this.#stored.records.map(({ network }) => network.id);
    return await decideOnce(this.#input.store, boot, all, (open) => this.#activations.afterBoot(own, open));
  }

  /** The network as nodes have it; undefined for one that is not active. @throws MESH_NET_UNKNOWN */
  liveOf(wanted: string): Network | undefined {
    const { network, activity } = this.#recordChanges.called(wanted);
    return activity.phase === 'active' ? network : undefined;
  }

  /** The network as it is defined; undefined for a transient one. @throws MESH_NET_UNKNOWN */
  definitionOf(wanted: string): Network | undefined {
    const view = this.#recordChanges.called(wanted);
    return isPersistentView(view) ? definitionIn(view) : undefined;
  }

  /** The UUID of a network: its own, or one that follows from its identifier. */
  uuidOf(network: Pick<Network, 'uuid' | 'id'>): string {
    return this.#uuids.of(network);
  }

  /** Takes up a document that a person wrote into the store. @throws MESH_NET_*, MESH_USAGE */
  takeWritten(order: NetworkOrder, written: WrittenDocument): Promise<CatalogueChange> {
    return this.#written.take(order, written);
  }

  /** Writes a record again over a document that is none. @returns its revision @throws MESH_STORE_* */
  keepRecord(number: NetworkNumber, written: WrittenDocument): Promise<number | undefined> {
    return this.#written.keep(number, written);
  }

  /** Deletes the networks that were made from documents which are not there any more. */
  dropWritten(present: ReadonlySet<string>): Promise<void> {
    return this.#written.drop(present);
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
    const records = change?.changed ?? this.#stored.records;
    const changed = records.map(({ network }) => network);
    const ids = change ? [...change.gone, ...changed.map(({ id }) => id)] : [...this.#state.later.keys()];
    for (const id of ids) this.#state.setLater(id, undefined);
    for (const { network, live } of records) if (live !== undefined) this.#state.setLater(network.id, network);
    const refused = change
      ? this.#state.judge(records.map(liveOf), change.gone)
      : this.#state.judgeAll(records.map(liveOf), this.#files ?? []);
    this.#views.changed();
    if (change === undefined) this.#uuids.takeAll(this.#views.defined);
    else this.#uuids.take(changed, change.gone);
    // A network that is refused may come into force with any change.
    const isAll = change === undefined || stood > 0 || this.#state.refused.size > 0;
    const events = isAll ? this.#meshes.take(this.#files) : [];
    for (const { network, error } of refused) {
      this.#input.journal.failure('network refused', error, { level: 'error', network: network.id });
    }
    this.#unused.free();
    this.#changes.emit(isAll ? 'all' : new Set(ids));
    for (const event of events) this.#lifecycle.emit(event);
  }
}
