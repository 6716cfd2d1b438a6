/** Routes of the control socket for machine keys: enrolment and revocation. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { MeshError } from '../../model/error.ts';
import { isMachineId, type MachineId } from '../../model/machine.ts';
import type { GivenKey } from '../../protocol/documents/given-key.ts';
import { keyFileText, type NamedKey } from '../../protocol/shapes/key-file.ts';

/** What the routes need of the keys; controller/machines/machine-keys.ts implements it. */
export interface KeyGiver {
  isEnrolled(machine: MachineId): boolean;
  offer(machine: MachineId): Promise<NamedKey | undefined>;
  revoke(machine: MachineId): Promise<void>;
}

const KeyPlace = z.object({ machine: z.string().refine(isMachineId, 'is not a machine id: 8 lower-case hex digits') });
const Wish = z.object({ renew: z.boolean().default(false) });

/** Adds `POST /v1/machines/ID/key` with `{renew}`, which gives out a key, and `DELETE` of the same path, which takes all keys away. */
export function addKeyRoutes(app: FastifyInstance, keys: KeyGiver): void {
  app.post('/v1/machines/:machine/key', async (request, reply) => {
    const { machine } = KeyPlace.parse(request.params);
    const { renew } = Wish.parse(request.body ?? {});
    if (!renew && keys.isEnrolled(machine)) throw enrolled(machine);
    void reply.header('cache-control', 'no-store');
    return given(machine, await keys.offer(machine));
  });
  app.delete('/v1/machines/:machine/key', async (request, reply) => {
    const { machine } = KeyPlace.parse(request.params);
    await keys.revoke(machine);
    return reply.code(204).send();
  });
}

function given(machine: MachineId, key: NamedKey | undefined): GivenKey {
  if (key !== undefined) return { machine, identity: key.identity, text: keyFileText(key) };
  throw new MeshError('MESH_KEY_DAMAGED', 'host0 has no installation secret, from which the keys of machines follow', {
    operation: 'make a key',
    object: machine,
    remedy: 'See `mesh status` for the cause, and restart host0 afterwards.',
  });
}

function enrolled(machine: MachineId): MeshError {
  return new MeshError('MESH_KEY_GIVEN', `machine ${machine} has a key already, from a boot or an enrolment`, {
    object: machine,
    rule: 'A machine has one key. The next key replaces the one before when the machine uses the next one.',
    remedy: 'If its key file is lost, or others can have read it, run the command with --renew.',
  });
}
