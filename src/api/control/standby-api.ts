/** What a host0 answers while another leads: its status, and to all else where that one is. */
import { once } from 'node:events';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { type RouteHandlers, routeServer } from '../../protocol/calls/route-server.ts';
import { readinessOf } from '../../protocol/documents/readiness.ts';
import type { Host0Status, LeadershipView } from '../../protocol/documents/views.ts';
import { CONTROL_TIMES, ControlSocket } from '../../protocol/http/control-socket.ts';
import { http1Request, http1Response } from '../../protocol/http/exchange.ts';
import { createServer } from '../../protocol/http/http.ts';
import { lastEventId, streamJournal } from '../../protocol/http/journal-stream.ts';
import { requestListener } from '../../protocol/http/request-handler.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { CONTROL_ROUTES } from '../../protocol/routes/control-routes.ts';

/** What the answers are made of. */
export interface StandbyApiInput {
  /** The path of the control socket, claimed before. */
  readonly path: string;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly status: () => Host0Status;
  readonly leadership: () => LeadershipView;
}

/** The running API. */
export interface StandbyApi {
  /** Resolves when the socket is gone. */
  close(): Promise<void>;
}

/** Opens the API on the control socket of a host0 that waits. @throws MESH_KERNEL_REFUSED */
export async function openStandbyApi(input: StandbyApiInput): Promise<StandbyApi> {
  const { path, clock, journal } = input;
  const onFault = (thrown: unknown) => journal.faults.tell('request to the control socket', thrown);
  const routes = routeServer(CONTROL_ROUTES, standbyHandlers(input), { onFault });
  const listener = requestListener({
    handler: (request, response) => routes.answer(http1Request(request), http1Response(response), undefined),
    onFault,
  });
  const server = createServer(CONTROL_TIMES, listener);
  const socket = await ControlSocket.open({ path, server, clock, journal });
  return {
    close: async () => {
      const closed = once(server, 'close');
      socket.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type Handlers = RouteHandlers<typeof CONTROL_ROUTES>;

function standbyHandlers({ status, leadership, journal }: StandbyApiInput): Handlers {
  const refuse = (): never => {
    throw standbyError(leadership());
  };
  // Each route has the one handler that refuses; the type of a table of routes cannot be made from its keys alone.
  const refusals = Object.fromEntries(
    Object.keys(CONTROL_ROUTES).map((route) => [route, refuse]),
  ) as unknown as Handlers;
  return {
    ...refusals,
    'GET /health': () => {
      const { node, version, upSec } = status();
      return { live: true, process: 'host0', node, version, upSec };
    },
    'GET /ready': () => readinessOf(status()),
    'GET /v1/status': status,
    'GET /v1/leadership': leadership,
    'GET /v1/events': ({ query: { follow }, headers }, open) =>
      streamJournal(journal, () => [], { follow, lastId: lastEventId(headers) }, open()),
  };
}

function standbyError({ leader, why }: LeadershipView): MeshError {
  const who = leader === undefined ? 'no host0 leads at present' : `${leader} leads`;
  return new MeshError('MESH_HOST0_STANDBY', `this host0 waits: ${who}${why === undefined ? '' : `; ${why}`}`, {
    ...(leader !== undefined && { object: leader }),
    rule: 'Of several host0s, one leads; the others wait for its end, and change nothing.',
    remedy: leader === undefined ? 'Wait, and see `mesh status`.' : `Run the command on ${leader}.`,
    retryable: leader === undefined,
  });
}
