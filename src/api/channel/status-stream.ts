/** The status stream of one channel, as host0 reads it. */
import { MeshError } from '../../model/error.ts';
import type { RouteClient } from '../../protocol/calls/route-client.ts';
import type { NodeStatus } from '../../protocol/documents/node-assignment.ts';
import type { CHANNEL_ROUTES } from '../../protocol/routes/channel-routes.ts';

/** A way to a node. */
interface StatusConnection {
  readonly node: RouteClient<typeof CHANNEL_ROUTES>;
  close(): void;
}

/**
 * Reads the status of a node until the channel ends; ends the channel when the stream ends or is too long. Never rejects.
 * @param take gets each status, or why a line holds none
 */
export async function followStatus(
  connection: StatusConnection,
  take: (status: NodeStatus | undefined, fault: MeshError | undefined) => void,
): Promise<void> {
  try {
    for await (const { document, fault } of connection.node.lines('GET /status')) {
      const message = `the node tells a status that ${fault}`;
      const remedy = 'Run the same version of Meshwork on host0 and on that node.';
      if (fault === undefined) take(document, undefined);
      else take(undefined, new MeshError('MESH_MEMBER_REPORT_INVALID', message, { remedy }));
    }
  } catch {
    // The channel has ended, or the node is about to end it, or the status is too long.
  }
  connection.close();
}
