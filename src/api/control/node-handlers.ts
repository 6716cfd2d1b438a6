/** What host0 answers of nodes: the list, their orphans, and by their channels their paths and captures. */
import { pipeline } from 'node:stream/promises';
import type { Controller } from '../../controller/controller.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { RouteHandlers } from '../../protocol/calls/route-server.ts';
import type { NodeOrphan, OrphanName } from '../../protocol/documents/node-assignment.ts';
import type { NODE_ROUTES } from '../../protocol/routes/node-routes.ts';
import type { Channels } from '../channel/channels.ts';
import type { NodeConnection } from '../channel/node-connection.ts';

/** What the handlers need; controller/assignments/node-orphans.ts implements it. */
export interface OrphanCommands {
  list(): readonly NodeOrphan[];
  adopt(machine: MachineWord, name: OrphanName): Promise<void>;
  release(machine: MachineWord, name: OrphanName): Promise<void>;
}

/** The parts of host0 that the handlers answer from. */
export interface NodeHandlersInput {
  readonly controller: Pick<Controller, 'nodes'>;
  readonly channels: Channels;
  readonly orphans: OrphanCommands;
}

/** The handlers of nodes. */
export function nodeHandlers({ controller, channels, orphans }: NodeHandlersInput): RouteHandlers<typeof NODE_ROUTES> {
  const connectionAt = (address: string): NodeConnection => {
    const node = controller.nodes().find(({ meshes }) => meshes.some(({ ipv6 }) => ipv6 === address));
    if (node?.machine !== undefined) return channels.connectionOf(node.machine);
    throw new MeshError('MESH_CHANNEL_DOWN', `no machine with a channel has the address ${address}`, {
      object: address,
    });
  };
  return {
    'GET /v1/nodes': () => controller.nodes(),
    'GET /v1/nodes/{address}/path': ({ path, query }) => connectionAt(path.address).node.ask('GET /path', { query }),
    'GET /v1/nodes/{address}/capture': async ({ path, query }, open) => {
      const stream = await connectionAt(path.address).node.bytes('GET /capture', { query });
      // Either end may close the stream, which is no error; `pipeline` then closes the other one.
      await pipeline(stream, open()).catch(() => undefined);
    },
    'GET /v1/orphans': () => orphans.list(),
    'POST /v1/orphans/adopt': ({ body: { machine, ...name } }) => orphans.adopt(machine, name),
    'POST /v1/orphans/release': ({ body: { machine, ...name } }) => orphans.release(machine, name),
  };
}
