/** Which nodes a command is for: those that are named, or all that can be commanded now. */
import { MeshError } from '../model/error.ts';
import { requireRoot } from './agent.ts';
import type { Context } from './context.ts';
import { host0Client } from './control-client.ts';
import { fetchFromHost0, findNode, type ListedNode, nameOf, nodeStateText } from './node-list.ts';
import type { CommandedNode } from './remote-shell.ts';

/** The mesh that nodes listen for commands in (image/node/shell-server). */
export const COMMAND_MESH = 'manage';

/** @throws MESH_NODE_* for the first that cannot be commanded, before anything was done to any */
export async function chosenNodes(
  context: Context,
  words: readonly string[],
  all = false,
): Promise<readonly CommandedNode[]> {
  requireRoot("use host0's key");
  if (all === words.length > 0) {
    throw new MeshError('MESH_USAGE', all ? 'both nodes and --all are given' : 'no node is given', {
      remedy: 'Name nodes with -n NAME, or take all with --all.',
    });
  }
  const nodes = await fetchFromHost0(host0Client(context.paths));
  if (!all) return [...new Set(words.map((word) => findNode(nodes, word)))].map(commanded);
  const present = nodes.filter((node) => node.online && node.role === 'node').map(commanded);
  if (present.length > 0) return present;
  throw new MeshError('MESH_NODE_OFFLINE', 'no node is online', { remedy: 'See `mesh node list`.' });
}

/** @throws MESH_USAGE, MESH_NODE_OFFLINE, MESH_NODE_NO_CONTROL */
function commanded(node: ListedNode): CommandedNode {
  const name = nameOf(node);
  const { machine, meshes } = node;
  if (node.role === 'host0') {
    throw new MeshError('MESH_USAGE', `${name} is this machine`, { remedy: 'Run the command here, without `mesh`.' });
  }
  const ipv6 = meshes.find((mesh) => mesh.name === COMMAND_MESH)?.ipv6;
  if (!node.online) {
    throw new MeshError('MESH_NODE_OFFLINE', `${name} is no member now: ${nodeStateText(node)}`, {
      object: machine ?? name,
      remedy: `Switch it on, and see \`mesh node boot ${name} --follow\` for how far it is.`,
    });
  }
  if (machine !== undefined && ipv6 !== undefined) return { name, machine, ipv6 };
  const why = machine === undefined ? 'does not say which machine it is' : `is not in the mesh ${COMMAND_MESH}`;
  throw new MeshError('MESH_NODE_NO_CONTROL', `${name} ${why}`, {
    object: machine ?? name,
    rule: `Nodes that host0 has booted listen for commands, in the mesh ${COMMAND_MESH} alone.`,
    remedy: `Boot it from host0, with default_networks="${COMMAND_MESH}" in host0.conf.`,
  });
}
