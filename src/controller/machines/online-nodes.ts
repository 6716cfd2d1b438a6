/** The nodes that are members of a mesh now, by machine. */
import type { Clock } from '../../model/clock.ts';
import type { MachineId } from '../../model/machine.ts';
import type { NodeView } from '../../protocol/documents/views.ts';

/** How old the list may get: hundreds of boots ask many times a second, and reading hundreds of nodes takes time. */
const READ_MS = 100;

/** A short-lived copy of the controller's list of nodes. */
export class OnlineNodes {
  readonly #read: () => readonly NodeView[];
  readonly #clock: Clock;
  #readMs = Number.NEGATIVE_INFINITY;
  #nodes: ReadonlyMap<string | undefined, NodeView> = new Map();

  /** @param read all nodes, online or not, as the controller knows them */
  constructor(read: () => readonly NodeView[], clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** The node of a machine, if it is online. The answer may be 100 ms old. */
  of(machine: MachineId): NodeView | undefined {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#readMs > READ_MS) {
      this.#nodes = new Map(this.#read().flatMap((node) => (node.online ? [[node.machine, node]] : [])));
      this.#readMs = nowMs;
    }
    return this.#nodes.get(machine);
  }
}
