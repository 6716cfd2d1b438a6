/** `mesh node`: the machines that take part. host0 knows all of them; elsewhere the member lists answer. */
import { Command } from 'commander';
import { MeshError } from '../model/error.ts';
import type { NetworkView, NodeView } from '../protocol/views.ts';
import type { Context } from './context.ts';
import { agentClient, host0Client } from './control-client.ts';
import { durationText } from './duration.ts';
import { facts } from './facts.ts';
import { inOrder } from './member-order.ts';
import { stateText, stateTone } from './network-state.ts';
import { nodeAdoptCommand } from './node-adopt.ts';
import { nodeBootCommand } from './node-boot.ts';
import { nodePreviewCommand } from './node-preview.ts';
import { type Column, table } from './table.ts';

type NodeMesh = NodeView['meshes'][number];

export function nodeCommand(context: Context): Command {
  const node = new Command('node');

  node
    .command('list')
    .description('List the nodes, host0 first')
    .addHelpText('after', '\nExample:\n  $ mesh node list')
    .action(async () => {
      const nodes = await fetchNodes(context);
      context.answer(nodes, () => table(nodes, LIST_COLUMNS, context.page) || 'No node has been heard of yet.\n');
    });

  node
    .command('info')
    .description('Show one node and its addresses in each mesh')
    .argument('<node>', 'its name or its machine id')
    .addHelpText('after', '\nExamples:\n  $ mesh node info node1\n  $ mesh node info 10eff964')
    .action(async (wanted: string) => {
      const found = findNode(await fetchNodes(context), wanted);
      context.answer(found, () => nodeText(found, context));
    });

  node.addCommand(nodeAdoptCommand(context));
  node.addCommand(nodePreviewCommand(context));
  node.addCommand(nodeBootCommand(context));
  return node;
}

const LIST_COLUMNS: readonly Column<NodeView>[] = [
  { title: 'NAME', text: (node) => node.name, flexible: true },
  { title: 'MACHINE', text: (node) => node.machine ?? '-' },
  { title: 'STATE', text: onlineText, tone: (node) => (node.online ? 'good' : 'bad') },
  { title: 'IPV4', text: (node) => node.ipv4 },
  { title: 'MESHES', text: (node) => node.meshes.map((mesh) => mesh.name).join(', '), flexible: true },
];

const MESH_COLUMNS: readonly Column<NodeMesh>[] = [
  { title: 'MESH', text: (mesh) => mesh.name },
  {
    title: 'STATE',
    text: ({ state }) => (state === undefined ? '-' : stateText(state)),
    flexible: true,
    tone: ({ state }) => state && stateTone(state),
  },
  { title: 'MAC', text: (mesh) => mesh.mac },
  { title: 'IPV6', text: (mesh) => mesh.ipv6 },
];

async function fetchNodes(context: Context): Promise<readonly NodeView[]> {
  const host0 = host0Client(context.paths);
  if (await host0.answers()) return host0.get<NodeView[]>('/v1/nodes');
  return nodesOf(await agentClient(context.paths).get<NetworkView[]>('/v1/networks'));
}

/** What a node's own member lists say: who is there now, and where. A node is told by its underlay address. */
function nodesOf(networks: readonly NetworkView[]): NodeView[] {
  const nodes = new Map<string, NodeView>();
  for (const { network, members } of networks) {
    for (const [index, { name, ipv4, mac, ipv6 }] of inOrder(members).entries()) {
      const role = index === 0 ? 'host0' : 'node';
      const known = nodes.get(`${name} ${ipv4}`) ?? { name, role, online: true, ipv4, meshes: [] };
      const mesh = { network: network.id, name: network.name, mac, ipv6 };
      nodes.set(`${name} ${ipv4}`, { ...known, meshes: [...known.meshes, mesh] });
    }
  }
  return [...nodes.values()];
}

/** @throws MESH_NODE_UNKNOWN also when a name fits several nodes */
function findNode(nodes: readonly NodeView[], wanted: string): NodeView {
  const found = nodes.filter((node) => node.name === wanted || node.machine === wanted);
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  if (first !== undefined) {
    throw new MeshError('MESH_NODE_UNKNOWN', `${found.length} nodes are called ${JSON.stringify(wanted)}`, {
      operation: 'show node',
      object: wanted,
      remedy: `Name one by its machine id: ${found.map((node) => node.machine ?? node.ipv4).join(', ')}.`,
    });
  }
  throw new MeshError('MESH_NODE_UNKNOWN', `no node is called ${JSON.stringify(wanted)}`, {
    operation: 'show node',
    object: wanted,
    remedy: 'See `mesh node list` for the nodes that are known here.',
  });
}

function onlineText(node: NodeView): string {
  if (node.online) return 'online';
  return node.lastSeenMsAgo === undefined ? 'offline' : `offline ${durationText(node.lastSeenMsAgo / 1000)}`;
}

function nodeText(node: NodeView, context: Context): string {
  const about = facts(
    [
      ['node', node.name],
      ['machine', node.machine],
      ['role', node.role],
      ['state', onlineText(node)],
      ['ipv4', node.ipv4],
    ],
    context.paint,
  );
  const meshes = table(node.meshes, MESH_COLUMNS, context.page);
  return meshes === '' ? about : `${about}\n${meshes}`;
}
