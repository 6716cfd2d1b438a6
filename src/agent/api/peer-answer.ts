/** The agent's answers inside a mesh: `GET /path` for each member. host0 asks for all else on the node's channel. */
import { MeshError } from '../../model/error.ts';
import type { PathAnswers } from '../trace/path-answers.ts';
import type { PeerHandler } from './peer-endpoint.ts';

/** The request handler for PeerEndpoints, which has checked that the caller is a member. */
export function peerHandler(paths: PathAnswers): PeerHandler {
  return async (request, response, { network }) => {
    const url = URL.parse(request.url ?? '/', 'http://agent');
    if (url === null) throw new MeshError('MESH_USAGE', 'the request names no path');
    if (`${request.method} ${url.pathname}` !== 'GET /path') {
      throw new MeshError('MESH_OBJECT_UNKNOWN', `an agent has nothing at ${request.method} ${url.pathname}`);
    }
    const document = await paths.answer(network, url.searchParams);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  };
}
