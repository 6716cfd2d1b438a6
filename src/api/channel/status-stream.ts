/** The status stream of one channel, as host0 reads it. */
import { MeshError } from '../../model/error.ts';
import { linesOf } from '../../protocol/channel/lines.ts';
import type { NodeStatus } from '../../protocol/documents/node-assignment.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { NodeStatusShape } from '../../protocol/shapes/node-assignment-shape.ts';

/** The longest status, in characters: the objects of a node with a thousand networks, and its orphans. */
const STATUS_MAX_LENGTH = 4 * 1024 * 1024;

/** A way to a node. */
interface StatusConnection {
  open(path: string): Promise<AsyncIterable<Uint8Array>>;
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
    for await (const lines of linesOf(await connection.open('/status'), STATUS_MAX_LENGTH)) {
      for (const line of lines) takeLine(line, take);
    }
  } catch {
    // The channel has ended, or the node is about to end it, or the status is too long.
  }
  connection.close();
}

function takeLine(line: string, take: Parameters<typeof followStatus>[1]): void {
  const { document, fault } = readDocument(NodeStatusShape, line, STATUS_MAX_LENGTH);
  const message = `the node tells a status that ${fault}`;
  const remedy = 'Run the same version of Meshwork on host0 and on that node.';
  if (fault === undefined) take(document, undefined);
  else take(undefined, new MeshError('MESH_MEMBER_REPORT_INVALID', message, { remedy }));
}
