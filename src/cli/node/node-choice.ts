/** Chooses the nodes of a command: those that are named, or all that can be commanded now. */
import { requireRoot } from '../../kernel/root.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { Context } from '../context.ts';
import { printable } from '../print/printable.ts';
import { fetchFromHost0, findNode, type ListedNode, nameOf, nodeStateText } from './node-list.ts';
import type { CommandedNode } from './remote-shell.ts';

/** The mesh that nodes listen for commands in (image/node/scripts/shell-server). */
const COMMAND_MESH = 'manage';

/**
 * The nodes to command, each once.
 * @param words names or machine ids; empty with `all`
 * @throws MESH_USAGE, and MESH_NODE_* for the first node that cannot be commanded; no command has been sent then
 */
export async function chosenNodes(
  context: Context,
  words: readonly string[],
  all = false,
): Promise<readonly CommandedNode[]> {
  requireRoot('command nodes', "Nodes are commanded with host0's key, which only root can read.");
  if (all === words.length > 0) {
    throw new MeshError('MESH_USAGE', all ? 'both nodes and --all are given' : 'no node is given', {
      remedy: 'Name nodes with -n NAME, or take all with --all.',
    });
  }
  const nodes = await fetchFromHost0(host0Client(context.paths));
  if (!all) return [...new Set(words.map((word) => findNode(nodes, word)))].map(commanded);
  const present = nodes.filter((node) => node.online && node.role === 'node');
  const able = present.filter((node) => node.machine !== undefined && addressOf(node) !== undefined);
  for (const node of present) if (!able.includes(node)) context.stderr.write(`Left out: ${reasonOf(node)}.\n`);
  if (able.length > 0) return able.map(commanded);
  throw new MeshError('MESH_NODE_OFFLINE', 'no node is online', { remedy: 'See `mesh node list`.' });
}

/** @throws MESH_USAGE, MESH_NODE_OFFLINE, MESH_NODE_NO_CONTROL */
function commanded(node: ListedNode): CommandedNode {
  const name = nameOf(node);
  const { machine } = node;
  if (node.role === 'host0') {
    throw new MeshError('MESH_USAGE', `${name} is this machine`, { remedy: 'Run the command here, without `mesh`.' });
  }
  const ipv6 = addressOf(node);
  if (!node.online) {
    throw new MeshError('MESH_NODE_OFFLINE', `${name} is no member now: ${nodeStateText(node)}`, {
      object: machine ?? name,
      remedy: `Switch it on, and follow its boot with \`mesh node boot ${name} --follow\`.`,
    });
  }
  if (machine !== undefined && ipv6 !== undefined) return { name, machine, ipv6 };
  throw new MeshError('MESH_NODE_NO_CONTROL', reasonOf(node), {
    object: machine ?? name,
    rule: `Only nodes that host0 has booted take commands, and only in the mesh ${COMMAND_MESH}.`,
    remedy: `Boot it from host0, with default_networks="${COMMAND_MESH}" in host0.conf.`,
  });
}

function addressOf({ meshes }: ListedNode): Ipv6 | undefined {
  return meshes.find(({ name }) => name === COMMAND_MESH)?.ipv6;
}

function reasonOf(node: ListedNode): string {
  const why = node.machine === undefined ? 'does not say which machine it is' : `is not in the mesh ${COMMAND_MESH}`;
  return `${printable(nameOf(node))} ${why}`;
}
