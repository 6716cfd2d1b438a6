/** What members are answered: `GET /path`, one look at the kernel at a time. */
import { MeshError } from '../model/error.ts';
import type { Network } from '../model/network.ts';
import { type PathView, parsePathQuery } from '../protocol/trace.ts';
import type { Agent } from './agent.ts';
import type { PeerHandler } from './peer-door.ts';
import { collectPathFacts } from './trace/facts.ts';
import { pathView } from './trace/path-view.ts';

/** Beyond so many that wait, whoever asks is told to come again: a look costs a dump of the kernel's tables. */
const WAITING_MAX = 8;

export function peerHandler(agent: Agent): PeerHandler {
  let waiting = 0;
  let turn: Promise<unknown> = Promise.resolve();
  return (request, response, { network }) => {
    const url = new URL(request.url ?? '/', 'http://agent');
    if (request.method !== 'GET' || url.pathname !== '/path') {
      response.writeHead(404).end();
      return;
    }
    if (waiting >= WAITING_MAX) {
      response.writeHead(503, { 'retry-after': '1' }).end('busy\n');
      return;
    }
    waiting++;
    turn = turn
      .then(() => look(agent, network, url.searchParams))
      .then(
        (view) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(view)),
        (thrown: unknown) => {
          const { httpStatus, message } = MeshError.from(thrown);
          response.writeHead(httpStatus).end(`${message}\n`);
        },
      )
      .finally(() => {
        waiting--;
      });
  };
}

async function look(agent: Agent, network: Network, parameters: URLSearchParams): Promise<PathView> {
  const query = parsePathQuery(parameters);
  return pathView(await collectPathFacts(agent, network, query), query);
}
