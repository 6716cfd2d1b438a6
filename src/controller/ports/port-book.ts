/**
 * The book of the ports that host0 has placed on nodes. Each change is one transaction with the port's id and its Ethernet
 * address, which is the only one of its kind in the network. Changes are carried out one after another.
 */
import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import type { AssignedPort } from '../../protocol/documents/node-assignment.ts';
import { Collection } from '../../store/collection.ts';
import type { Change, Compare, Store } from '../../store/store.ts';
import { type PoolMove, takeAndGive } from '../pools/pool.ts';
import { PortIds } from '../pools/port-ids.ts';
import { macTwice, mustBeUsable, mustDiffer } from './port-claims.ts';
import { MAC_CLAIMS, macClaimName, PLACED_PORTS, type PlacedPort, type PortDescription } from './port-record.ts';

/** A port to make. */
export interface PortOrder extends PortDescription, Pick<PlacedPort, 'network' | 'machine' | 'node'> {
  /** Absent: the tap of the port's id, which the node makes. */
  readonly link?: string;
  /** Absent: made of the port's id. */
  readonly mac?: Mac;
}

/** A change of one port. A port that is new has no `before`; one that is gone has no `after`. */
export interface PortChange {
  readonly before?: PlacedPort;
  readonly after?: PlacedPort;
}

/** Keeps the ports. */
export class PortBook implements HealthSource {
  readonly #store: Store;
  readonly #ids: PortIds;
  readonly #records: Collection<PlacedPort>;
  readonly #macs: Collection<ReturnType<typeof claimOf>>;
  readonly #ports: Map<string, PlacedPort>;
  readonly #spoilt: readonly string[];
  readonly #changes = new Signal<PortChange>();
  /** Emits each change when the store has it. */
  readonly changes: Subscribable<PortChange> = this.#changes;
  #byMachine: ReadonlyMap<MachineWord, readonly PlacedPort[]> | undefined;
  #byNetwork: ReadonlyMap<NetworkId, readonly PlacedPort[]> | undefined;
  #revision: number;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(store: Store, ids: PortIds, ports: readonly PlacedPort[], read: ReadBook) {
    this.#store = store;
    this.#ids = ids;
    this.#records = new Collection(store, PLACED_PORTS);
    this.#macs = new Collection(store, MAC_CLAIMS);
    this.#ports = new Map(ports.map((port) => [port.id, port]));
    this.#spoilt = read.spoilt;
    this.#revision = read.revision;
  }

  /** Reads the ports. @throws MESH_STORE_BROKEN */
  static async open(store: Store): Promise<PortBook> {
    const [ids, list] = await Promise.all([PortIds.open(store), new Collection(store, PLACED_PORTS).list()]);
    const ports = list.records.map(({ record }) => record);
    return new PortBook(store, ids, ports, list);
  }

  /** The store's revision that the ports show. */
  get revision(): number {
    return this.#revision;
  }

  get all(): readonly PlacedPort[] {
    return [...this.#ports.values()];
  }

  /** The ports on a node. */
  on(machine: MachineWord): readonly PlacedPort[] {
    this.#byMachine ??= Map.groupBy(this.#ports.values(), (port) => port.machine);
    return this.#byMachine.get(machine) ?? [];
  }

  /** The ports of a network. */
  in(network: NetworkId): readonly PlacedPort[] {
    this.#byNetwork ??= Map.groupBy(this.#ports.values(), (port) => port.network);
    return this.#byNetwork.get(network) ?? [];
  }

  /** The port of this id or name. @throws MESH_PORT_UNKNOWN */
  find(id: string): PlacedPort {
    const port = this.#ports.get(id) ?? this.all.find(({ name }) => name === id);
    if (port !== undefined) return port;
    throw new MeshError('MESH_PORT_UNKNOWN', `host0 has no port ${JSON.stringify(id)}`, {
      object: id,
      remedy: 'See `mesh port list --all` on host0.',
    });
  }

  /**
   * Makes a port.
   * @param isFree whether no node has a port of this id from an earlier store
   * @throws MESH_PORT_TAKEN, MESH_PORT_MAC_TWICE, MESH_PORT_ADDRESS_TWICE, MESH_PORT_IDS_EXHAUSTED, MESH_USAGE
   */
  create(order: PortOrder, isFree: (id: string) => boolean = () => true): Promise<PlacedPort> {
    return this.#inOrder(async () => {
      const { id, tap, move, mac } = this.#ids.allocate(`port on ${order.node}`, isFree);
      const link = order.link === undefined ? { link: tap, tap: true as const } : {};
      const port: PlacedPort = { mac, ...order, ...link, link: order.link ?? tap, id };
      return this.#add(port, move);
    });
  }

  /** Takes up a port that a node has and the store has lost, with its id. @throws those of `create` */
  adopt({ id, mac, ...known }: AssignedPort, { machine, node }: Pick<PlacedPort, 'machine' | 'node'>) {
    return this.#inOrder(async () => {
      if (id === undefined || mac === undefined) throw new TypeError('a port of host0 has an id and an address');
      const port: PlacedPort = { ...known, id, machine, node, mac };
      return this.#add(port, this.#ids.take(id, `port on ${node}`));
    });
  }

  /** Moves a port to another node, or to another interface. @throws MESH_PORT_UNKNOWN, MESH_PORT_TAKEN */
  move(id: string, to: Pick<PlacedPort, 'machine' | 'node'> & { readonly link?: string }): Promise<PlacedPort> {
    return this.#inOrder(async () => {
      const before = this.find(id);
      const { machine, node, link = before.link } = to;
      const { tap, ...other } = before;
      const after: PlacedPort = { ...other, machine, node, link, ...(tap && link === before.link && { tap }) };
      this.#mustBeFree(after);
      await this.#commit({ before, after }, [], [], [this.#records.put(after)]);
      return after;
    });
  }

  /** Removes a port. Its id is not given again. @throws MESH_PORT_UNKNOWN */
  remove(id: string): Promise<PlacedPort> {
    return this.#inOrder(async () => {
      const before = this.find(id);
      const changes = [this.#records.remove(before.id), this.#macs.remove(macClaimName(before))];
      await this.#commit({ before }, [this.#ids.give(before.id)], [], changes);
      return before;
    });
  }

  /** Moves on, past ids that the store may have given out and lost. */
  leap(): PoolMove {
    return this.#ids.leap();
  }

  health(): readonly Finding[] {
    return this.#spoilt.map((name) => {
      const key = this.#records.keyOf(name);
      const error = new MeshError('MESH_STATE_DAMAGED', `the document of a port cannot be read: ${key}`, {
        remedy: 'It is damaged, or of a later version of Meshwork: install that version, or delete the document',
      });
      return findingOf(error, { object: key, severity: 'error' });
    });
  }

  async #add(port: PlacedPort, move: PoolMove): Promise<PlacedPort> {
    try {
      this.#mustBeFree(port);
      const claim = claimOf(port);
      const absent = [this.#macs.at(macClaimName(port), 0), this.#records.at(port.id, 0)];
      await this.#commit({ after: port }, [move], absent, [this.#records.put(port), this.#macs.put(claim)]);
    } catch (error) {
      move.undo();
      throw error;
    }
    return port;
  }

  /** @throws MESH_PORT_TAKEN, MESH_PORT_MAC_TWICE, MESH_PORT_ADDRESS_TWICE, MESH_USAGE */
  #mustBeFree(port: PlacedPort): void {
    mustBeUsable(port);
    for (const other of this.#ports.values()) if (other.id !== port.id) mustDiffer(port, other);
  }

  /** In the store first, and then here. */
  async #commit(
    { before, after }: PortChange,
    moves: readonly PoolMove[],
    compare: readonly Compare[],
    changes: readonly Change[],
  ): Promise<void> {
    const { succeeded, revision } = await takeAndGive(this.#store, moves, compare, changes);
    if (!succeeded && after !== undefined) throw macTwice(after, 'a port of another record');
    this.#revision = revision;
    this.#byMachine = undefined;
    this.#byNetwork = undefined;
    if (after !== undefined) this.#ports.set(after.id, after);
    else if (before !== undefined) this.#ports.delete(before.id);
    this.#changes.emit({ ...(before && { before }), ...(after && { after }) });
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** What was read of the store. */
interface ReadBook {
  readonly spoilt: readonly string[];
  readonly revision: number;
}

function claimOf({ network, mac, id }: PlacedPort) {
  return { network, mac, port: id };
}
