/** Questions about a network that only other nodes hold: the error says on which node to ask. */
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { CatalogueView } from '../../protocol/documents/catalogue.ts';
import type { Context } from '../context.ts';

/** What an agent answers about a network that this machine does not have. */
const NOT_HERE: readonly string[] = ['MESH_NET_UNKNOWN', 'MESH_OBJECT_UNKNOWN'];
const NAMED_MAX = 5;

/**
 * Asks the agent of this machine.
 * @param command what to type on a node that holds the network
 * @throws what `ask` throws; on host0, MESH_NET_UNKNOWN with the nodes that hold the network
 */
export async function askHere<T>(
  { paths }: Context,
  network: string,
  command: string,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    return await ask();
  } catch (thrown) {
    const error = MeshError.from(thrown);
    if (!NOT_HERE.includes(error.code)) throw thrown;
    const host0 = host0Client(paths);
    const view = (await host0.answers())
      ? await host0.ask('GET /v1/catalogue/{name}', { path: { name: network } }).catch(() => undefined)
      : undefined;
    throw view === undefined ? thrown : heldElsewhere(view, command);
  }
}

function heldElsewhere({ network: { name }, holders = [] }: CatalogueView, command: string): MeshError {
  const nodes = holders.map(({ node }) => node);
  const [first] = nodes;
  const rest = nodes.length - NAMED_MAX;
  const who = `${nodes.slice(0, NAMED_MAX).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
  return new MeshError(
    'MESH_NET_UNKNOWN',
    first === undefined
      ? `no node has a port in network ${name}`
      : `network ${name} is not on this machine: ${who} ${nodes.length === 1 ? 'has' : 'have'} it`,
    {
      object: name,
      rule: 'A machine has a network of host0 while a port is plugged into it there.',
      remedy: first === undefined ? `Plug one in: \`mesh port plug ${name} INTERFACE\`` : `On ${first}: \`${command}\``,
    },
  );
}
