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
import { PortIds, tapOf } from '../pools/port-ids.ts';
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

/** Where a port is from here on, and what its guest is there. */
export interface PortMove extends Pick<PlacedPort, 'machine' | 'node'> {
  /** Absent: the same as before. */
  readonly link?: string;
  /** Absent: the same as before. Empty: none are known. */
  readonly addresses?: NonNullable<PlacedPort['addresses']>;
}

/** Changes of several ports that belong together. */
export interface PortChanges {
  readonly create?: readonly PortOrder[];
  /** By the ids of the ports. */
  readonly move?: readonly (Pick<PlacedPort, 'id'> & PortMove)[];
  /** The ids of ports. */
  readonly remove?: readonly string[];
}

/** What else belongs to a transaction with ports. */
export interface WithPorts {
  readonly compare: readonly Compare[];
  readonly changes: readonly Change[];
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
  create(order: PortOrder, isFree?: (id: string) => boolean): Promise<PlacedPort> {
    return this.#inOrder(async () => {
      const { port, move } = this.#madePort(order, isFree);
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
  move(id: string, to: PortMove): Promise<PlacedPort> {
    return this.#inOrder(async () => {
      const before = this.find(id);
      const after = movedPort(before, to);
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

  /**
   * Makes, moves and removes ports in one transaction with the object that they belong to.
   * @param also is given the new ports, in the order of `create`
   * @returns the store's revision; undefined when a comparison of `also` did not hold, and nothing was changed
   * @throws those of `create`, MESH_PORT_UNKNOWN
   */
  together(
    { create = [], move = [], remove = [] }: PortChanges,
    also: (made: readonly PlacedPort[]) => WithPorts,
    isFree?: (id: string) => boolean,
  ): Promise<number | undefined> {
    return this.#inOrder(async () => {
      const moves: PoolMove[] = [];
      try {
        const made = create.map((order) => {
          const { port, move } = this.#madePort(order, isFree);
          moves.push(move);
          return port;
        });
        const moved = move.map(({ id, ...to }) => movedPort(this.find(id), to));
        const gone = remove.map((id) => this.find(id));
        const added = made.map((after): PortChange => ({ after }));
        const elsewhere = moved.map((after): PortChange => ({ before: this.find(after.id), after }));
        const removed = gone.map((before): PortChange => ({ before }));
        // As they are before the transaction, these are in nobody's way.
        const past = new Set([...moved, ...gone].map(({ id }) => id));
        for (const [at, port] of [...made, ...moved].entries())
          this.#mustBeFree(port, [...made, ...moved].slice(0, at), past);
        const { compare, changes } = also(made);
        const freed = new Set(gone.map(macClaimName));
        const kept = new Set(made.map(macClaimName).filter((name) => freed.has(name)));
        const absent = made.flatMap((port) => [
          ...(kept.has(macClaimName(port)) ? [] : [this.#macs.at(macClaimName(port), 0)]),
          this.#records.at(port.id, 0),
        ]);
        const writes = [
          ...made.flatMap((port) => [this.#records.put(port), this.#macs.put(claimOf(port))]),
          ...moved.map((port) => this.#records.put(port)),
          ...gone.flatMap((port) => [
            this.#records.remove(port.id),
            ...(kept.has(macClaimName(port)) ? [] : [this.#macs.remove(macClaimName(port))]),
          ]),
        ];
        const given = gone.map(({ id }) => this.#ids.give(id));
        const all = [...compare, ...absent];
        const result = await takeAndGive(this.#store, [...moves, ...given], all, [...changes, ...writes]);
        if (!result.succeeded) return undefined;
        this.#take([...added, ...elsewhere, ...removed], result.revision);
        return result.revision;
      } catch (error) {
        for (const move of moves) move.undo();
        throw error;
      }
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

  #madePort(order: PortOrder, isFree: (id: string) => boolean = () => true) {
    // An administrator may have placed an interface whose name is that of a tap to come.
    const links = new Set(this.on(order.machine).map(({ link }) => link));
    const isUsable = (wanted: string) => isFree(wanted) && !links.has(tapOf(wanted));
    const { id, tap, move, mac } = this.#ids.allocate(`port on ${order.node}`, isUsable);
    const link = order.link === undefined ? { link: tap, tap: true as const } : { link: order.link };
    const port: PlacedPort = { mac, ...order, ...link, id };
    return { port, move };
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
  #mustBeFree(port: PlacedPort, beside: readonly PlacedPort[] = [], past: ReadonlySet<string> = new Set()): void {
    mustBeUsable(port);
    const others = this.all.filter(({ id }) => id !== port.id && !past.has(id));
    for (const other of [...others, ...beside]) mustDiffer(port, other);
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
    this.#take([{ ...(before && { before }), ...(after && { after }) }], revision);
  }

  #take(changes: readonly PortChange[], revision: number): void {
    this.#revision = revision;
    this.#byMachine = undefined;
    this.#byNetwork = undefined;
    for (const { before, after } of changes) {
      if (after !== undefined) this.#ports.set(after.id, after);
      else if (before !== undefined) this.#ports.delete(before.id);
    }
    for (const change of changes) this.#changes.emit(change);
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** A tap has the name of its port's id. An interface of another name is another program's. */
function movedPort(
  { tap, addresses: known, ...before }: PlacedPort,
  { machine, node, link = before.link, addresses = known }: PortMove,
): PlacedPort {
  const guest = addresses === undefined || addresses.length === 0 ? {} : { addresses };
  return { ...before, machine, node, link, ...guest, ...(tap && link === before.link && { tap }) };
}

/** What was read of the store. */
interface ReadBook {
  readonly spoilt: readonly string[];
  readonly revision: number;
}

function claimOf({ network, mac, id }: PlacedPort) {
  return { network, mac, port: id };
}
