/**
 * The book of the ports that host0 has placed on nodes. Each change is one transaction with the port's id and its Ethernet
 * address, which is the only one of its kind in the network. Changes are carried out one after another.
 */
import { isUnicastMac, type Mac } from '../../model/address/mac.ts';
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
import { MAC_CLAIMS, macClaimName, PLACED_PORTS, type PlacedPort } from './port-record.ts';

/** A port to make. */
export interface PortOrder extends Pick<PlacedPort, 'network' | 'machine' | 'node'> {
  /** Absent: the tap of the port's id. */
  readonly link?: string;
  /** Absent: made of the port's id. */
  readonly mac?: Mac;
}

/** A change of one port. A port that is new has no `before`; one that is gone has no `after`. */
export interface PortChange {
  readonly before?: PlacedPort;
  readonly after?: PlacedPort;
}

/** Changes of several ports that belong together. */
export interface PortChanges {
  readonly create?: readonly PortOrder[];
  /** By the ids of the ports. */
  readonly move?: readonly (Pick<PlacedPort, 'id' | 'machine' | 'node'> & { readonly link?: string })[];
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
    return this.all.filter((port) => port.network === network);
  }

  /** @throws MESH_PORT_UNKNOWN */
  find(id: string): PlacedPort {
    const port = this.#ports.get(id);
    if (port !== undefined) return port;
    throw new MeshError('MESH_PORT_UNKNOWN', `host0 has no port ${JSON.stringify(id)}`, {
      object: id,
      remedy: 'See `mesh port list --all` on host0.',
    });
  }

  /**
   * Makes a port.
   * @param isFree whether no node has a port of this id from an earlier store
   * @throws MESH_PORT_TAKEN, MESH_PORT_MAC_TWICE, MESH_PORT_IDS_EXHAUSTED, MESH_USAGE
   */
  create(order: PortOrder, isFree?: (id: string) => boolean): Promise<PlacedPort> {
    return this.#inOrder(async () => {
      const { port, move } = this.#madePort(order, isFree);
      return this.#add(port, move);
    });
  }

  /** Takes up a port that a node has and the store has lost, with its id. @throws those of `create` */
  adopt({ id, network, link, mac }: AssignedPort, { machine, node }: Pick<PlacedPort, 'machine' | 'node'>) {
    return this.#inOrder(async () => {
      if (id === undefined || mac === undefined) throw new TypeError('a port of host0 has an id and an address');
      const port: PlacedPort = { id, network, machine, node, link, mac };
      return this.#add(port, this.#ids.take(id, `port on ${node}`));
    });
  }

  /** Moves a port to another node, or to another interface. @throws MESH_PORT_UNKNOWN, MESH_PORT_TAKEN */
  move(id: string, to: Pick<PlacedPort, 'machine' | 'node'> & { readonly link?: string }): Promise<PlacedPort> {
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
      const changes = [this.#records.remove(id), this.#macs.remove(macClaimName(before))];
      await this.#commit({ before }, [this.#ids.give(id)], [], changes);
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
        const moved = move.map(({ id, machine, node, link }) => movedPort(this.find(id), { machine, node, link }));
        const gone = remove.map((id) => this.find(id));
        const added = made.map((after): PortChange => ({ after }));
        const elsewhere = moved.map((after): PortChange => ({ before: this.find(after.id), after }));
        const removed = gone.map((before): PortChange => ({ before }));
        for (const [at, port] of [...made, ...moved].entries())
          this.#mustBeFree(port, [...made, ...moved].slice(0, at));
        const { compare, changes } = also(made);
        const absent = made.flatMap((port) => [this.#macs.at(macClaimName(port), 0), this.#records.at(port.id, 0)]);
        const writes = [
          ...made.flatMap((port) => [this.#records.put(port), this.#macs.put(claimOf(port))]),
          ...moved.map((port) => this.#records.put(port)),
          ...gone.flatMap((port) => [this.#records.remove(port.id), this.#macs.remove(macClaimName(port))]),
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

  #madePort({ network, machine, node, ...given }: PortOrder, isFree?: (id: string) => boolean) {
    const { id, tap, move, ...made } = this.#ids.allocate(`port on ${node}`, isFree);
    const port: PlacedPort = { id, network, machine, node, link: given.link ?? tap, mac: given.mac ?? made.mac };
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

  /** @throws MESH_PORT_TAKEN, MESH_PORT_MAC_TWICE, MESH_USAGE */
  #mustBeFree(port: PlacedPort, beside: readonly PlacedPort[] = []): void {
    if (!isUnicastMac(port.mac)) throw noUnicast(port.mac);
    for (const other of [...this.#ports.values(), ...beside]) {
      if (other.id === port.id) continue;
      if (other.machine === port.machine && other.link === port.link) throw taken(port, other);
      if (other.network === port.network && other.mac === port.mac) throw macTwice(port, other.id);
    }
  }

  /** In the store first, and then here. */
  async #commit(
    { before, after }: PortChange,
    moves: readonly PoolMove[],
    compare: readonly Compare[],
    changes: readonly Change[],
  ): Promise<void> {
    const { succeeded, revision } = await takeAndGive(this.#store, moves, compare, changes);
    if (!succeeded && after !== undefined) throw macTwice(after, 'of another record');
    this.#take([{ ...(before && { before }), ...(after && { after }) }], revision);
  }

  #take(changes: readonly PortChange[], revision: number): void {
    this.#revision = revision;
    this.#byMachine = undefined;
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

function movedPort(
  before: PlacedPort,
  { machine, node, link = before.link }: Pick<PlacedPort, 'machine' | 'node'> & { readonly link?: string | undefined },
): PlacedPort {
  return { ...before, machine, node, link };
}

/** What was read of the store. */
interface ReadBook {
  readonly spoilt: readonly string[];
  readonly revision: number;
}

function claimOf({ network, mac, id }: PlacedPort) {
  return { network, mac, port: id };
}

function taken({ link, node }: PlacedPort, other: PlacedPort): MeshError {
  return new MeshError('MESH_PORT_TAKEN', `${link} on ${node} is port ${other.id} already`, {
    object: link,
    rule: 'An interface is one port.',
    remedy: `Name another interface with --device, or move or delete port ${other.id} first.`,
  });
}

function macTwice({ mac, network }: PlacedPort, other: string): MeshError {
  return new MeshError('MESH_PORT_MAC_TWICE', `port ${other} of ${network} has the Ethernet address ${mac}`, {
    object: mac,
    rule: 'Each port of a network has an Ethernet address of its own.',
    remedy: 'Give another one with --mac, or none: host0 makes one of the id of the port.',
  });
}

function noUnicast(mac: Mac): MeshError {
  return new MeshError('MESH_USAGE', `${mac} is a group address`, {
    object: mac,
    rule: 'A port has the address of one station: the lowest bit of the first byte is 0.',
    remedy: 'Give an address such as 02:00:00:00:10:01, or none: host0 makes one of the id of the port.',
  });
}
