/** The nodes and the machines that are known here, as one list. */
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { agentClient, type ControlClient, host0Client } from '../../protocol/calls/control-client.ts';
import type { MachineView } from '../../protocol/documents/machine-view.ts';
import type { NetworkView, NodeView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import { durationText } from '../print/duration.ts';
import { inOrder } from '../print/member-order.ts';

/** The document that `mesh node list --json` prints for each node or machine. */
export type ListedNode = (NodeView | SeenMachine) & {
  /** What host0 has recorded of the machine; absent if it has not seen the machine, and on other nodes. */
  readonly hardware?: MachineView;
};

/** A machine that is no node now: it is booting, it has booted, or it was a node before host0 started. */
export interface SeenMachine {
  /** Absent for a machine without a folder. */
  readonly name?: string;
  readonly machine: MachineId;
  readonly role: 'machine';
  readonly online: false;
  readonly meshes: readonly never[];
}

/** All nodes and machines where host0's daemon runs; elsewhere the members in this node's lists. @throws MESH_NOT_RUNNING */
export async function fetchNodes({ paths }: Context): Promise<readonly ListedNode[]> {
  const host0 = host0Client(paths);
  if (await host0.answers()) return await fetchFromHost0(host0);
  return nodesOf(await agentClient(paths).ask('GET /v1/networks'));
}

/** The nodes, host0 first, and then the machines that are no nodes. */
export async function fetchFromHost0(host0: ControlClient<'host0'>): Promise<readonly ListedNode[]> {
  const [nodes, machines] = await Promise.all([host0.ask('GET /v1/nodes'), host0.ask('GET /v1/machines')]);
  return merged(nodes, machines);
}

function merged(nodes: readonly NodeView[], machines: readonly MachineView[]): readonly ListedNode[] {
  const rest = new Map(machines.map((hardware) => [hardware.machine, hardware]));
  const listed = nodes.map((node): ListedNode => {
    const hardware = node.machine === undefined ? undefined : rest.get(node.machine);
    if (node.machine !== undefined) rest.delete(node.machine);
    return { ...node, ...(hardware !== undefined && { hardware }) };
  });
  const seen = [...rest.values()].map((hardware): ListedNode => {
    const { machine, name } = hardware;
    const entry = { machine, role: 'machine', online: false, meshes: [], hardware } as const;
    return name === undefined ? entry : { name, ...entry };
  });
  return [...listed, ...seen];
}

/** The nodes in this node's member lists. Members with the same name and underlay address are one node. */
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

/** The node with this name or machine id. @throws MESH_NODE_UNKNOWN, also when several nodes have the name */
export function findNode(nodes: readonly ListedNode[], wanted: string): ListedNode {
  const found = nodes.filter((node) => node.name === wanted || node.machine === wanted);
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  if (first !== undefined) {
    throw new MeshError('MESH_NODE_UNKNOWN', `${found.length} nodes are called ${JSON.stringify(wanted)}`, {
      operation: 'find node',
      object: wanted,
      remedy: `Name one by its machine id: ${found.map((node) => node.machine ?? addressOf(node)).join(', ')}.`,
    });
  }
  throw new MeshError('MESH_NODE_UNKNOWN', `no node is called ${JSON.stringify(wanted)}`, {
    operation: 'find node',
    object: wanted,
    remedy: 'See `mesh node list` for the nodes that are known here.',
  });
}

/** The name, else the machine id. */
export function nameOf({ name, machine }: ListedNode): string {
  return name ?? machine ?? '-';
}

/** The underlay address; `-` for a machine that is no node. */
export function addressOf(node: ListedNode): string {
  return node.role === 'machine' ? '-' : node.ipv4;
}

/** `online`, `online, no channel`, `offline 1 min`, `booting: STAGE`, `stuck in STAGE`, or `unknown` for a machine without a name. */
export function nodeStateText(node: ListedNode): string {
  if (node.online) return node.channel?.state === 'down' ? 'online, no channel' : 'online';
  const { boot } = node.hardware ?? {};
  if (boot?.state === 'stuck') return `stuck in ${boot.stage}`;
  if (boot?.state === 'booting') return `booting: ${boot.stage}`;
  const seconds = lastSeenSecAgo(node);
  const state = node.role === 'machine' && node.name === undefined ? 'unknown' : 'offline';
  return seconds === undefined || node.role === 'machine' ? state : `${state} ${durationText(seconds)}`;
}

/** Seconds since the last report of a node, or since the last boot of a machine; undefined if not known. */
export function lastSeenSecAgo(node: ListedNode): number | undefined {
  if (node.role !== 'machine') return node.lastSeenMsAgo === undefined ? undefined : node.lastSeenMsAgo / 1000;
  const { firstSeen, lastBoot = firstSeen } = node.hardware ?? {};
  return lastBoot === undefined ? undefined : secondsSince(lastBoot);
}

/** @param time ISO 8601; a time in the future gives 0 */
export function secondsSince(time: string): number {
  return Math.max(0, (Date.now() - Date.parse(time)) / 1000);
}
