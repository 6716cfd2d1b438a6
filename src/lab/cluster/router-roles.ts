/** The routers of a lab: its first nodes, which get the role as by `mesh node role add`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import type { LabHost } from '../hosts/lab-host.ts';

const ROLE = 'router';
/** A node opens its channel a second after its start, alone on a machine. */
const CHANNEL_DEADLINE_MS = 30_000;
const POLL_MS = 100;

/** Gives the nodes the role as soon as host0 knows them. @throws MESH_NODE_UNKNOWN, MESH_NODE_OFFLINE for one that has not come */
export async function giveRouterRoles(
  host0: LabHost,
  routers: readonly LabHost[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const client = host0Client(pathsBelow(host0.root));
  const giveUpAt = performance.now() + CHANNEL_DEADLINE_MS;
  for (const { name } of routers) {
    for (;;) {
      signal?.throwIfAborted();
      try {
        await client.ask('PUT /v1/roles/{node}/{role}', { path: { node: name, role: ROLE } });
        break;
      } catch (error) {
        if (!(error instanceof MeshError) || performance.now() > giveUpAt) throw error;
        await sleep(POLL_MS);
      }
    }
  }
}
