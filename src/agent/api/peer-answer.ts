/** The agent's answers inside a mesh: `GET /path` for each member. host0 asks for all else on the node's channel. */

import type { Mesh } from '../../model/network/mesh.ts';
import { type RouteServerOptions, routeServer } from '../../protocol/calls/route-server.ts';
import { http1Request, http1Response } from '../../protocol/http/exchange.ts';
import { PEER_ROUTES } from '../../protocol/routes/channel-routes.ts';
import type { PathAnswers } from '../trace/path-answers.ts';
import type { PeerHandler } from './peer-endpoint.ts';

/** The request handler for PeerEndpoints, which has checked that the caller is a member. */
export function peerHandler(paths: PathAnswers, onFault: RouteServerOptions['onFault']): PeerHandler {
  const server = routeServer<typeof PEER_ROUTES, Mesh>(
    PEER_ROUTES,
    { 'GET /path': ({ query, from }) => paths.answer(from, query) },
    { onFault },
  );
  return (request, response, { network }) => server.answer(http1Request(request), http1Response(response), network);
}
