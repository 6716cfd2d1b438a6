/** This node's answers to `GET /path`: one kernel dump at a time, whoever asks. */
import { MeshError } from '../../model/error.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import { type PathEnds, type PathView, parsePathEnds } from '../../protocol/documents/trace.ts';
import type { Agent } from '../agent.ts';
import { collectPathState } from './path-state.ts';
import { pathView } from './path-view.ts';

/** Beyond this many waiting requests the answer is MESH_BUSY: each request costs a dump of the kernel's tables. */
const WAITING_MAX = 8;

/** Answers members of a mesh and host0. */
export class PathAnswers {
  readonly #agent: Agent;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  /**
   * This node's part of a path.
   * @param ends the ends of the path (`pathEnds`)
   * @throws MESH_USAGE, MESH_ADDRESS_INVALID; MESH_BUSY when too many requests wait
   */
  async answer(network: VxlanNetwork, ends: PathEnds): Promise<PathView> {
    if (this.#waiting >= WAITING_MAX) {
      throw new MeshError('MESH_BUSY', 'too many requests wait at this agent', { retryable: true });
    }
    this.#waiting++;
    try {
      const mine = this.#last.then(() => this.#look(network, ends));
      this.#last = mine.catch(() => undefined);
      return await mine;
    } finally {
      this.#waiting--;
    }
  }

  async #look(network: VxlanNetwork, ends: PathEnds): Promise<PathView> {
    const query = parsePathEnds(ends);
    return pathView(await collectPathState(this.#agent, network, query), query);
  }
}
