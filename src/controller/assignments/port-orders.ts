/** The commands about ports that host0 places on nodes: names become networks and nodes, and each answer says how the port is. */
import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { AssignedPort, NodeOrphan } from '../../protocol/documents/node-assignment.ts';
import type { PlacedPortView } from '../../protocol/documents/views.ts';
import type { PortBook } from '../ports/port-book.ts';
import type { PlacedPort, PortDescription } from '../ports/port-record.ts';
import type { Assignments } from './assignments.ts';

/** Where the commands find what they name. */
export interface PortOrdersInput {
  readonly book: PortBook;
  readonly assignments: Pick<Assignments, 'nodeCalled' | 'portState' | 'nameOf' | 'orphanBook'>;
  /** @throws MESH_NET_UNKNOWN */
  readonly network: (wanted: string) => Network;
  /** The mesh over which nodes hear host0; undefined while there is none. */
  readonly management: () => Pick<Network, 'id'> | undefined;
  /** Judges whether a node can have a network. Absent: every node can. @throws MESH_MULTICAST_SEGMENT */
  readonly admit?: (network: Network, machine: MachineWord) => void;
}

/** What a command or program asks for. */
export interface PortWish extends PortDescription {
  /** Name or identifier. */
  readonly network: string;
  /** Name or machine id. */
  readonly node: string;
  /** The interface on the node. Absent: a tap that the node makes. */
  readonly interface?: string;
  readonly mac?: Mac;
}

const NOT_OPEN = 'no emulator has the tap open';

/** The commands. */
export class PortOrders {
  readonly #input: PortOrdersInput;

  constructor(input: PortOrdersInput) {
    this.#input = input;
  }

  /** All ports that host0 has placed. */
  list(): readonly PlacedPortView[] {
    return this.#input.book.all.map((port) => this.#view(port));
  }

  /** A port by its id or name. @throws MESH_PORT_UNKNOWN */
  show(id: string): PlacedPortView {
    return this.#view(this.#input.book.find(id));
  }

  /**
   * Makes a port on a node.
   * @throws MESH_NET_UNKNOWN, MESH_NODE_UNKNOWN, MESH_MULTICAST_SEGMENT, MESH_PORT_UNFIT for the management mesh, and what `PortBook.create` throws
   */
  async create({ network: wanted, node, interface: link, ...given }: PortWish): Promise<PlacedPortView> {
    const network = this.#input.network(wanted);
    if (network.id === this.#input.management()?.id) throw inManagement(network);
    const place = this.#node(node);
    this.#input.admit?.(network, place.machine);
    const order = { ...given, network: network.id, ...place, ...(link !== undefined && { link }) };
    return this.#view(await this.#input.book.create(order, (id) => !this.#input.assignments.orphanBook.hasPort(id)));
  }

  /** Moves a port to another node or interface. @throws MESH_PORT_UNKNOWN, MESH_NODE_UNKNOWN, MESH_PORT_TAKEN, MESH_MULTICAST_SEGMENT */
  async move(id: string, to: { readonly node: string; readonly interface?: string }): Promise<PlacedPortView> {
    const { interface: link } = to;
    const port = this.#input.book.find(id);
    const place = this.#node(to.node);
    this.#input.admit?.(this.#input.network(port.network), place.machine);
    const moved = await this.#input.book.move(port.id, {
      ...place,
      ...(link !== undefined && { link }),
    });
    return this.#view(moved);
  }

  /** Removes a port. A node that is away takes the interface off when it is back. @throws MESH_PORT_UNKNOWN */
  async remove(id: string): Promise<PlacedPortView> {
    return this.#view(await this.#input.book.remove(this.#input.book.find(id).id), true);
  }

  /**
   * Takes up a port that is an orphan of a node. A port that the store has elsewhere has moved since: it is where the node has it.
   * @throws MESH_PORT_TAKEN, MESH_PORT_MAC_TWICE
   */
  async adopt({ machine }: Pick<NodeOrphan, 'machine'>, port: AssignedPort): Promise<void> {
    const { book, assignments } = this.#input;
    const place = { machine, node: assignments.nameOf(machine), link: port.link };
    const known = book.all.find(({ id }) => id === port.id);
    if (known?.network === port.network && known.mac === port.mac) await book.move(known.id, place);
    else await book.adopt(port, place);
  }

  #node(wanted: string): Pick<PlacedPort, 'machine' | 'node'> {
    const { machine, name } = nodeWithChannel(this.#input.assignments, wanted);
    return { machine, node: name };
  }

  #view(port: PlacedPort, isGone = false): PlacedPortView {
    const { id, network, machine, link, mac, name, addresses, vm, trusted } = port;
    const { assignments } = this.#input;
    const common = { id, network, networkName: this.#nameOf(network), node: assignments.nameOf(machine), machine };
    const known = {
      ...(name && { name }),
      ...(addresses && { addresses }),
      ...(vm && { vm }),
      ...(trusted && { trusted }),
    };
    const view = { ...common, interface: link, mac, ...known };
    if (isGone) return { ...view, state: 'gone' };
    const state = assignments.portState(port);
    const refused = state?.port?.refused;
    const heard = { ...view, ...(refused !== undefined && { refused }) };
    if (state?.state === 'ready' && state.port?.bound) return { ...heard, state: 'bound' };
    if (state?.state === 'ready') return { ...heard, state: 'plugged', ...(port.tap && { why: NOT_OPEN }) };
    const why =
      state === undefined ? 'the node has not told of it yet' : state.state === 'failed' ? state.message : state.why;
    return { ...heard, state: 'wanted', why };
  }

  #nameOf(network: string): string {
    try {
      return this.#input.network(network).name;
    } catch {
      return network;
    }
  }
}

/** The node of this name or machine id, which host0 can tell of what it should have. @throws MESH_NODE_UNKNOWN */
export function nodeWithChannel(assignments: Pick<Assignments, 'nodeCalled'>, wanted: string) {
  const node = assignments.nodeCalled(wanted);
  if (node !== undefined) return node;
  throw new MeshError('MESH_NODE_UNKNOWN', `no node ${JSON.stringify(wanted)} has had a channel to host0`, {
    object: wanted,
    rule: 'host0 gives ports and roles to nodes that it can tell of them.',
    remedy: 'See `mesh node list`. `mesh node enroll` gives a machine its key.',
  });
}

function inManagement({ name }: Network): MeshError {
  return new MeshError('MESH_PORT_UNFIT', `${name} is the management mesh`, {
    object: name,
    rule: 'An assignment never changes the management mesh: nodes hear host0 over it.',
    remedy: 'Name another network: `mesh network list`.',
  });
}
