/** The commands about ports that host0 places on nodes: names become networks and nodes, and each answer says how the port is. */
import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { AssignedPort, NodeOrphan } from '../../protocol/documents/node-assignment.ts';
import type { PlacedPortView } from '../../protocol/documents/views.ts';
import type { Assignments } from './assignments.ts';
import type { PortBook } from './port-book.ts';
import type { PlacedPort } from './port-record.ts';

/** Where the commands find what they name. */
export interface PortOrdersInput {
  readonly book: PortBook;
  readonly assignments: Pick<Assignments, 'nodeCalled' | 'portState' | 'nameOf' | 'orphanBook'>;
  /** @throws MESH_NET_UNKNOWN */
  readonly network: (wanted: string) => Network;
  /** The mesh over which nodes hear host0; undefined while there is none. */
  readonly management: () => Pick<Network, 'id'> | undefined;
}

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

  /**
   * Makes a port on a node.
   * @throws MESH_NET_UNKNOWN, MESH_NODE_UNKNOWN, MESH_PORT_UNFIT for the management mesh, and what `PortBook.create` throws
   */
  async create(order: {
    readonly network: string;
    readonly node: string;
    readonly interface?: string;
    readonly mac?: Mac;
  }): Promise<PlacedPortView> {
    const { interface: link, mac } = order;
    const network = this.#input.network(order.network);
    if (network.id === this.#input.management()?.id) throw inManagement(network);
    const given = { ...(link !== undefined && { link }), ...(mac !== undefined && { mac }) };
    const port = { network: network.id, ...this.#node(order.node), ...given };
    return this.#view(await this.#input.book.create(port, (id) => !this.#input.assignments.orphanBook.hasPort(id)));
  }

  /** Moves a port to another node or interface. @throws MESH_PORT_UNKNOWN, MESH_NODE_UNKNOWN, MESH_PORT_TAKEN */
  async move(id: string, to: { readonly node: string; readonly interface?: string }): Promise<PlacedPortView> {
    const { interface: link } = to;
    const moved = await this.#input.book.move(id, { ...this.#node(to.node), ...(link !== undefined && { link }) });
    return this.#view(moved);
  }

  /** Removes a port. A node that is away takes the interface off when it is back. @throws MESH_PORT_UNKNOWN */
  async remove(id: string): Promise<PlacedPortView> {
    return this.#view(await this.#input.book.remove(id), true);
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
    const { id, network, machine, link, mac } = port;
    const { assignments } = this.#input;
    const common = { id, network, networkName: this.#nameOf(network), node: assignments.nameOf(machine), machine };
    const view = { ...common, interface: link, mac };
    if (isGone) return { ...view, state: 'gone' };
    const state = assignments.portState(port);
    if (state?.state === 'ready') return { ...view, state: 'plugged' };
    const why =
      state === undefined ? 'the node has not told of it yet' : state.state === 'failed' ? state.message : state.why;
    return { ...view, state: 'wanted', why };
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
