/** The agent's control socket, for commands on the same machine; on host0 also for host0's daemon. */
import type { ApiMetrics } from '../../metrics/api-metrics.ts';
import { type RouteServer, routeServer } from '../../protocol/calls/route-server.ts';
import { CONTROL_TIMES, ControlSocket, claimControlSocket } from '../../protocol/http/control-socket.ts';
import { http1Request, http1Response } from '../../protocol/http/exchange.ts';
import { createServer } from '../../protocol/http/http.ts';
import { requestListener } from '../../protocol/http/request-handler.ts';
import { AGENT_ROUTES } from '../../protocol/routes/agent-routes.ts';
import { type AgentHandlersInput, agentHandlers } from './agent-handlers.ts';

/** The parts of the agent's process that the socket gives access to. */
export interface AgentSocketInput extends AgentHandlersInput {
  /** The path of the socket. */
  readonly path: string;
  readonly metrics: ApiMetrics;
  /** On host0: what host0's daemon asks its own node, by the routes of a channel. */
  readonly node?: RouteServer<undefined>;
}

/** The socket while the agent answers there. */
export interface AgentSocket {
  /** Ends the listening and all connections. */
  close(): void;
}

/**
 * Listens at the path, and resolves when it does.
 * @throws MESH_ALREADY_RUNNING when another agent answers at the path
 */
export async function serveAgentSocket(input: AgentSocketInput): Promise<AgentSocket> {
  const { path, agent, metrics, node } = input;
  await claimControlSocket(path);
  const { clock, journal } = agent.input;
  const onFault = (thrown: unknown) => journal.faults.tell('request to the control socket', thrown);
  const routes = routeServer(AGENT_ROUTES, agentHandlers(input), {
    onFault,
    onAnswer: (...answer) => metrics.answered('agent', ...answer),
  });
  const listener = requestListener({
    handler: (incoming, outgoing) => {
      const request = http1Request(incoming);
      const server = node?.has(request) ? node : routes;
      return server.answer(request, http1Response(outgoing), undefined);
    },
    onFault,
  });
  const server = createServer(CONTROL_TIMES, listener);
  // The group of this socket may do the same as root here: plug ports, and read everything.
  const socket = await ControlSocket.open({ path, server, clock, journal });
  agent.addHealthOf(socket);
  return {
    close: () => {
      socket.close();
      server.closeAllConnections();
    },
  };
}
