/** This node's answers to `GET /path`: one kernel dump at a time, whoever asks. */
import { MeshError } from '../../model/error.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import { type PathView, parsePathQuery } from '../../protocol/documents/trace.ts';
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
   * @param parameters the ends of the path (`formatPathQuery`)
   * @throws MESH_USAGE, MESH_ADDRESS_INVALID; MESH_BUSY when too many requests wait
   */
  async answer(network: VxlanNetwork, parameters: URLSearchParams): Promise<PathView> {
    if (this.#waiting >= WAITING_MAX) {
      throw new MeshError('MESH_BUSY', 'too many requests wait at this agent', { retryable: true });
    }
    this.#waiting++;
    try {
      const mine = this.#last.then(() => this.#look(network, parameters));
      this.#last = mine.catch(() => undefined);
      return await mine;
    } finally {
      this.#waiting--;
    }
  }

  async #look(network: VxlanNetwork, parameters: URLSearchParams): Promise<PathView> {
    const query = parsePathQuery(parameters);
    return pathView(await collectPathState(this.#agent, network, query), query);
  }
}
