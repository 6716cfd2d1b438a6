/** The routes by which host0's agent asks other nodes: on their channels, which host0's daemon has. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Controller } from '../../controller/controller.ts';
import { MeshError } from '../../model/error.ts';
import type { Channels } from '../channel/channels.ts';
import { errorIn, type NodeConnection } from '../channel/node-connection.ts';

const NodeAddress = z.object({ address: z.string().max(64) });

/** Adds the routes. The query goes to the node as it is. */
export function addChannelRoutes(
  app: FastifyInstance,
  { controller, channels }: { readonly controller: Pick<Controller, 'nodes'>; readonly channels: Channels },
): void {
  const connectionAt = (parameters: unknown): NodeConnection => {
    const { address } = NodeAddress.parse(parameters);
    const node = controller.nodes().find(({ meshes }) => meshes.some(({ ipv6 }) => ipv6 === address));
    if (node?.machine !== undefined) return channels.connectionOf(node.machine);
    throw new MeshError('MESH_CHANNEL_DOWN', `no machine with a channel has the address ${address}`, {
      object: address,
    });
  };
  app.get('/v1/nodes/:address/path', async ({ params, url }, reply) => {
    const answer = await connectionAt(params).exchange('GET', `/path${queryOf(url)}`);
    if (answer.status !== 200) throw errorIn(answer);
    return reply.type('application/json').send(answer.text);
  });
  app.get('/v1/nodes/:address/capture', async ({ params, url }, reply) => {
    const stream = await connectionAt(params).open(`/capture${queryOf(url)}`);
    return reply.type('application/x-pcapng').send(stream);
  });
}

function queryOf(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? '' : url.slice(at);
}
