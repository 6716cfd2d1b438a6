/** Gives one node its assignment: when its channel stands, and after each change. One request is under way at a time. */
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { AssignmentAnswer, NodeAssignment, NodeStatus } from '../../protocol/documents/node-assignment.ts';
import { assignmentText, commonFormat, digestsIn, type HeldDigests } from './assignment-text.ts';
import type { NodeConnection } from './node-connection.ts';

/** What host0 gives to each machine. */
export interface AssignmentSource {
  /** The present assignment; undefined while there is none for the machine. */
  assignmentOf(machine: MachineWord): NodeAssignment | undefined;
  /** Calls `listener` with each machine whose assignment has changed. @returns a function that ends the subscription */
  subscribe(listener: (machine: MachineWord) => void): () => void;
  /** Called when the channel of a machine stands: from now on the machine can answer. */
  opened?(machine: MachineWord, node: { unplug(network: Pick<Network, 'id' | 'name'>): Promise<void> }): void;
  /** @param silentMs how long nothing had been heard of the machine before */
  closed?(machine: MachineWord, silentMs?: number): void;
  /** Called with each status of a machine. Rejects when the store did not take what the status says. */
  reported?(machine: MachineWord, status: NodeStatus): Promise<void>;
  /** Called when a machine has taken an assignment of `assignmentOf`. */
  answered?(machine: MachineWord, assignment: NodeAssignment): void;
}

/** A node that takes requests. */
export type AskedNode = Pick<NodeConnection, 'node'> & { readonly machine: MachineWord };

/** Takes all ports of a network off a node, which host0 deletes. @throws the error that the node answers with */
export async function unplugOn(node: AskedNode, { id, name }: Pick<Network, 'id' | 'name'>): Promise<void> {
  await node.node.ask('PUT /unplug', { query: { network: id, name } });
}

/** The pushes of one connection. */
export class AssignmentPush {
  readonly #connection: AskedNode;
  readonly #source: AssignmentSource;
  #format: number | undefined;
  #held: HeldDigests | undefined;
  #error: MeshError | undefined;
  #isDue = false;
  #isBusy = false;
  #waiting: (() => void)[] = [];

  constructor(connection: AskedNode, source: AssignmentSource) {
    this.#connection = connection;
    this.#source = source;
  }

  /** Why the node has not taken its assignment; undefined when it has, or there is none. */
  get error(): MeshError | undefined {
    return this.#error;
  }

  /** Begins with what the node's first status says: which formats it reads, and what it has. */
  begin({ format, digests }: Pick<NodeStatus, 'format' | 'digests'>): void {
    if (this.#held !== undefined) return;
    this.#format = commonFormat(format);
    this.#held = digests;
    if (this.#format === undefined) {
      this.#error = new MeshError('MESH_NOT_SUPPORTED', `the node reads assignments up to format ${format} only`, {
        object: this.#connection.machine,
        remedy: 'Bring the node to a later version of Meshwork.',
      });
      return;
    }
    void this.push();
  }

  /** Gives the node the present assignment, and resolves when it has answered. Never rejects. */
  push(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#isDue = true;
    if (!this.#isBusy) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    while (this.#isDue) {
      this.#isDue = false;
      const waiting = this.#waiting;
      this.#waiting = [];
      await this.#once().catch((thrown: unknown) => {
        this.#error = MeshError.from(thrown);
      });
      for (const resolve of waiting) resolve();
    }
    this.#isBusy = false;
  }

  async #once(): Promise<void> {
    const assignment = this.#source.assignmentOf(this.#connection.machine);
    if (assignment === undefined || this.#format === undefined || this.#held === undefined) return;
    let answer = await this.#give(assignment, this.#format, this.#held);
    // The node has lost what it had, for example on a damaged disk.
    if (!answer.accepted && answer.error.code === 'MESH_ASSIGNMENT_INCOMPLETE') {
      answer = await this.#give(assignment, this.#format, {});
    }
    this.#error = answer.accepted ? undefined : MeshError.fromJSON(answer.error);
    if (!answer.accepted) return;
    this.#held = digestsIn(assignment);
    this.#source.answered?.(this.#connection.machine, assignment);
  }

  #give(assignment: NodeAssignment, format: number, held: HeldDigests): Promise<AssignmentAnswer> {
    return this.#connection.node.ask('PUT /assignment', { body: assignmentText(assignment, format, held) });
  }
}
