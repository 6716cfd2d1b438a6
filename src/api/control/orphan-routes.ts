/** Routes of the control socket for orphans of nodes. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { isMachineId, type MachineWord } from '../../model/machine.ts';
import type { NodeOrphan, OrphanName } from '../../protocol/documents/node-assignment.ts';

/** What the routes need; controller/assignments/node-orphans.ts implements it. */
export interface OrphanCommands {
  list(): readonly NodeOrphan[];
  adopt(machine: MachineWord, name: OrphanName): Promise<void>;
  release(machine: MachineWord, name: OrphanName): Promise<void>;
}

const Orphan = z.object({
  machine: z.custom<MachineWord>((value) => value === 'host0' || (typeof value === 'string' && isMachineId(value))),
  kind: z.enum(['network', 'port']),
  id: z.string().max(64),
  epoch: z.string().max(32),
});

/** Adds `GET /v1/orphans`, and `POST /v1/orphans/adopt` and `…/release` with one orphan of the list. */
export function addOrphanRoutes(app: FastifyInstance, orphans: OrphanCommands): void {
  app.get('/v1/orphans', () => orphans.list());
  for (const command of ['adopt', 'release'] as const) {
    app.post(`/v1/orphans/${command}`, async (request, reply) => {
      const { machine, ...name } = Orphan.parse(request.body);
      await orphans[command](machine, name);
      return reply.code(204).send();
    });
  }
}
