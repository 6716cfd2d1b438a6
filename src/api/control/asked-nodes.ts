/** The nodes that host0 can ask: those with a channel, and host0 itself. */
import type { Controller } from '../../controller/controller.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { AskedNode } from '../channel/assignment-push.ts';
import type { Channels } from '../channel/channels.ts';

/** What the nodes are found by. */
export interface AskedNodesInput {
  readonly controller: Pick<Controller, 'nodes'>;
  readonly channels: Pick<Channels, 'connectionOf'>;
  /** host0's own agent. */
  readonly ownNode: Pick<AskedNode, 'node'>;
}

/** A node by its name, and how it is asked. */
export interface NamedNode {
  readonly name: string;
  /** What its keys belong to; undefined for host0 itself. */
  readonly machine?: MachineWord;
  /** Whether the node is host0 itself. */
  readonly isOwn: boolean;
  /** @throws MESH_CHANNEL_DOWN */
  readonly ask: () => AskedNode['node'];
}

/** An answer of a node, or why there is none. */
export type NodeAnswer<T> = Pick<NamedNode, 'machine' | 'isOwn'> &
  ({ readonly node: string; readonly answer: T } | { readonly node: string; readonly error: MeshError });

/** Asks nodes. */
export class AskedNodes {
  readonly #input: AskedNodesInput;

  constructor(input: AskedNodesInput) {
    this.#input = input;
  }

  /** All nodes, host0 first. */
  get all(): readonly NamedNode[] {
    const { controller, channels, ownNode } = this.#input;
    return controller.nodes().flatMap(({ name, role, machine }): NamedNode[] => {
      if (role === 'host0') return [{ name, isOwn: true, ask: () => ownNode.node }];
      return machine === undefined
        ? []
        : [{ name, machine, isOwn: false, ask: () => channels.connectionOf(machine).node }];
    });
  }

  /** @param word a name, a machine id, or `host0`. @throws MESH_NODE_UNKNOWN */
  called(word: string): NamedNode {
    const { controller, channels, ownNode } = this.#input;
    const found = controller
      .nodes()
      .filter(({ name, machine, role }) => name === word || machine === word || (role === 'host0' && word === 'host0'));
    const [node, second] = found;
    if (node === undefined || second !== undefined) {
      const what = node === undefined ? 'no node is' : `${found.length} nodes are`;
      throw new MeshError('MESH_NODE_UNKNOWN', `${what} called ${JSON.stringify(word)}`, {
        object: word,
        remedy: 'See `mesh node list`; a machine id names one node.',
      });
    }
    const { name, role, machine } = node;
    if (role === 'host0') return { name, isOwn: true, ask: () => ownNode.node };
    if (machine !== undefined) return { name, machine, isOwn: false, ask: () => channels.connectionOf(machine).node };
    throw new MeshError('MESH_CHANNEL_DOWN', `${name} does not say which machine it is`, { object: name });
  }

  /** Asks one node, or all at once. */
  answers<T>(word: string | undefined, ask: (node: AskedNode['node']) => Promise<T>): Promise<NodeAnswer<T>[]> {
    const nodes = word === undefined ? this.all : [this.called(word)];
    return Promise.all(
      nodes.map(async (node) => {
        const { name, machine, isOwn } = node;
        const of = { node: name, isOwn, ...(machine !== undefined && { machine }) };
        try {
          return { ...of, answer: await ask(node.ask()) };
        } catch (thrown) {
          return { ...of, error: MeshError.from(thrown) };
        }
      }),
    );
  }
}
