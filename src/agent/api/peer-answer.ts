/** What members are answered inside a mesh: `GET /path`, one look at the kernel at a time; and host0, `GET /capture`. */
import type { ServerResponse } from 'node:http';
import { type Ipv6, parseIpv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { readCaptureParameters } from '../../protocol/documents/capture.ts';
import { parsePathQuery } from '../../protocol/documents/trace.ts';
import type { Agent } from '../agent.ts';
import type { Captures } from '../capture/captures.ts';
import { isVerifiedHost0 } from '../capture/host0-verification.ts';
import { collectPathState } from '../trace/path-state.ts';
import { pathView } from '../trace/path-view.ts';
import type { PeerHandler } from './peer-endpoint.ts';

/** Beyond so many that wait, whoever asks is told to come again: a look costs a dump of the kernel's tables. */
const WAITING_MAX = 8;

export function peerHandler(agent: Agent, captures: Captures): PeerHandler {
  const looks = new Looks();
  return async (request, response, { network, peer }) => {
    try {
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
    } catch (thrown) {
      if (response.headersSent) response.destroy();
      else refuse(response, MeshError.from(thrown));
    }
  };
}

function answer(response: ServerResponse, document: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
}

function refuse(response: ServerResponse, error: MeshError): void {
  response.writeHead(error.httpStatus, { 'content-type': 'application/json' }).end(JSON.stringify(error));
}

async function look(agent: Agent, network: Network, parameters: URLSearchParams): Promise<unknown> {
  const query = parsePathQuery(parameters);
  return pathView(await collectPathState(agent, network, query), query);
}

/** What guests say to each other is nobody's business but host0's, who could reach every machine anyway. */
async function captureFor(
  agent: Agent,
  captures: Captures,
  network: Network,
  peer: Ipv6,
  parameters: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const stillAllowed = () => {
    // The packet that asks may be the one that has just moved host0's entry.
    agent.input.kernel.drainEvents();
    return isVerifiedHost0(agent.reconciler.cache, network, peer);
  };
  if (!stillAllowed()) {
    const { journal } = agent.input;
    const told = { network: network.id, object: peer };
    journal.record({ ...told, level: 'warning', kind: 'capture refused', message: `to ${peer}, which is not host0` });
    throw new MeshError('MESH_MEMBER_NOT_ALLOWED', 'this node is captured on by host0 alone', {
      rule: "A request comes from host0's address, and host0's entries in this kernel are as they should be.",
      remedy: 'Capture from host0.',
    });
  }
  const settings = readCaptureParameters(parameters);
  await captures.serve(response, { network, settings, who: `host0 at ${peer}`, stillAllowed });
}

/** One after the other. */
class Looks {
  #waiting = 0;
  #turn: Promise<unknown> = Promise.resolve();

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= WAITING_MAX) {
      throw new MeshError('MESH_BUSY', 'this agent is asked by too many at once', { retryable: true });
    }
    this.#waiting++;
    try {
      const mine = this.#turn.then(work);
      this.#turn = mine.catch(() => undefined);
      return await mine;
    } finally {
      this.#waiting--;
    }
  }
}
