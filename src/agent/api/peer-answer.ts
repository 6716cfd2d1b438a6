/**
 * The agent's answers inside a mesh: `GET /path` for each member, one kernel dump at a time, and `GET /capture` for
 * host0.
 */
import type { ServerResponse } from 'node:http';
import { type Ipv6, parseIpv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { readCaptureParameters } from '../../protocol/documents/capture.ts';
import { parsePathQuery } from '../../protocol/documents/trace.ts';
import type { Agent } from '../agent.ts';
import type { Captures } from '../capture/captures.ts';
import { isVerifiedHost0 } from '../capture/host0-verification.ts';
import { collectPathState } from '../trace/path-state.ts';
import { pathView } from '../trace/path-view.ts';
import type { PeerHandler } from './peer-endpoint.ts';

/** Beyond this many waiting requests the answer is MESH_BUSY: each request costs a dump of the kernel's tables. */
const WAITING_MAX = 8;

/** The request handler for PeerEndpoints, which has checked that the caller is a member. */
export function peerHandler(agent: Agent, captures: Captures): PeerHandler {
  const looks = new Looks();
  return async (request, response, { network, peer }) => {
    const url = URL.parse(request.url ?? '/', 'http://agent');
    if (url === null) throw new MeshError('MESH_USAGE', 'the request names no path');
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /path':
        return answer(response, await looks.take(() => look(agent, network, url.searchParams)));
      case 'GET /capture':
        return await captureFor(agent, captures, network, parseIpv6(peer), url.searchParams, response);
      default:
        throw new MeshError('MESH_OBJECT_UNKNOWN', `an agent has nothing at ${request.method} ${url.pathname}`);
    }
  };
}

function answer(response: ServerResponse, document: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
}

async function look(agent: Agent, network: Mesh, parameters: URLSearchParams): Promise<unknown> {
  const query = parsePathQuery(parameters);
  return pathView(await collectPathState(agent, network, query), query);
}

/** Serves a capture to host0 only: packets of guests are private, and host0 can reach every machine anyway. */
async function captureFor(
  agent: Agent,
  captures: Captures,
  network: Mesh,
  peer: Ipv6,
  parameters: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const stillAllowed = () => {
    // The request itself may have moved host0's FDB entry a moment ago, so pending kernel events are read first.
    agent.input.kernel.drainEvents();
    return isVerifiedHost0(agent.reconciler.cache, network, peer);
  };
  if (!stillAllowed()) {
    const { journal } = agent.input;
    const told = { network: network.id, object: peer };
    journal.record({ ...told, level: 'warning', kind: 'capture refused', message: `to ${peer}, which is not host0` });
    throw new MeshError('MESH_MEMBER_NOT_ALLOWED', 'only host0 may capture on this node', {
      rule: "The request must come from host0's address, and this kernel's FDB and neighbour entries of host0 must be correct.",
      remedy: 'Capture from host0.',
    });
  }
  const settings = readCaptureParameters(parameters);
  await captures.serve(response, { network, settings, who: `host0 at ${peer}`, stillAllowed });
}

/** Runs kernel dumps one after the other, and refuses when too many wait. */
class Looks {
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= WAITING_MAX) {
      throw new MeshError('MESH_BUSY', 'too many requests wait at this agent', { retryable: true });
    }
    this.#waiting++;
    try {
      const mine = this.#last.then(work);
      this.#last = mine.catch(() => undefined);
      return await mine;
    } finally {
      this.#waiting--;
    }
  }
}
