/** `mesh trace`: asks every agent on a path for its part, and joins the parts. */

import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Member } from '../../model/network/member.ts';
import { isMesh } from '../../model/network/mesh.ts';
import { ipv6In } from '../../model/network/node-addresses.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import { ControlClient } from '../../protocol/calls/control-client.ts';
import { meshClient } from '../../protocol/calls/mesh-client.ts';
import { AGENT_PORT } from '../../protocol/documents/tcp-ports.ts';
import {
  type PathQuery,
  type PathView,
  pathEnds,
  type TraceEnd,
  type TraceRequest,
  type TraceView,
} from '../../protocol/documents/trace.ts';
import { PEER_ROUTES } from '../../protocol/routes/channel-routes.ts';
import { PATH_MAX_BYTES, pathViewOf } from '../../protocol/shapes/path-view-shape.ts';
import type { Agent } from '../agent.ts';
import { membersOf } from '../view/agent-view.ts';
import { channelAddress } from '../view/channel-address.ts';
import { collectPathState } from './path-state.ts';
import { pathView } from './path-view.ts';
import { traceEnd } from './trace-end.ts';
import { type TracePart, walk } from './walk.ts';

/** One answer takes milliseconds, but an agent on a busy machine may have several waiting requests. */
const ANSWER_TIMEOUT_MS = 4_000;

/**
 * Answers `POST /v1/trace`. An agent that does not answer becomes a hop in the state `unknown`.
 * @param daemon on host0: the socket of host0's daemon, which asks nodes on their channels
 * @throws MESH_NOT_SUPPORTED for a network over IPv6, MESH_NET_UNKNOWN, MESH_NODE_UNKNOWN, MESH_OBJECT_UNKNOWN, MESH_ADDRESS_INVALID
 */
export async function trace(agent: Agent, request: TraceRequest, daemon?: string): Promise<TraceView> {
  const network = agent.networkCalled(request.network);
  if (network.type.underlay === 'ipv6') throw overIpv6(network);
  const members = membersOf(agent, network);
  const from = await traceEnd(agent, network, members, request.from);
  const to = await traceEnd(agent, network, members, request.to);
  const query = { from: pointOf(from), to: pointOf(to) };
  const partOf = (member: Member | undefined): Promise<TracePart> => part(agent, { network, query, daemon }, member);
  const atFrom = members.find(({ ipv6 }) => ipv6 === query.from.member);
  const atTo = members.find(({ ipv6 }) => ipv6 === query.to.member);
  const host0 = members.find(({ ipv6 }) => ipv6 === ipv6In(network, 'host0'));
  // Only the ends know whether the path leads through host0, and they may not answer. So host0 is always asked.
  const [first, last, between] = await Promise.all([
    partOf(atFrom),
    atFrom === atTo ? undefined : partOf(atTo),
    host0 === undefined || host0 === atFrom || host0 === atTo ? undefined : partOf(host0),
  ]);
  return { network: network.name, from, to, ...walk({ first, between, last }) };
}

function overIpv6({ name }: VxlanNetwork): MeshError {
  return new MeshError('MESH_NOT_SUPPORTED', `${name} is a network over IPv6`, {
    object: name,
    rule: 'A trace follows VXLAN packets over IPv4.',
    remedy: `\`mesh ping ${name} NODE\` shows whether a node answers, and \`mesh drift\` there what its kernel lacks`,
  });
}

function pointOf({ memberIpv6: member, guest, mac, ipv6 }: TraceEnd): PathQuery['from'] {
  return { member, ...(guest && { guest: { mac, ...(ipv6 !== undefined && { ipv6 }) } }) };
}

/** What is asked of each agent. */
interface PartQuestion {
  readonly network: VxlanNetwork;
  readonly query: PathQuery;
  readonly daemon: string | undefined;
}

async function part(
  agent: Agent,
  { network, query, daemon }: PartQuestion,
  member: Member | undefined,
): Promise<TracePart> {
  const own = ipv6In(network, agent.input.machine);
  const node = member?.name ?? agent.input.name;
  if (member === undefined || member.ipv6 === own) {
    return { node, view: pathView(await collectPathState(agent, network, query), query) };
  }
  const address = channelAddress(agent, network, member);
  const isAsked = daemon !== undefined && address !== undefined;
  const byChannel = isAsked ? await askByChannel({ daemon, address }, network, member, query) : undefined;
  const answer = byChannel ?? (isMesh(network) ? await askInMesh(member, own, query) : undefined);
  // Nothing of Meshwork listens inside a network that host0 has given: guests are there.
  if (answer === undefined) return { node };
  return typeof answer === 'string' ? { node, silent: answer } : { node, view: answer };
}

/** @returns the view; undefined when the node has no channel, or cannot answer there */
async function askByChannel(
  { daemon, address }: { readonly daemon: string; readonly address: Ipv6 },
  { name }: VxlanNetwork,
  member: Member,
  query: PathQuery,
): Promise<PathView | undefined> {
  const question = { path: { address }, query: { network: name, ...pathEnds(query) }, timeoutMs: ANSWER_TIMEOUT_MS };
  const asked = new ControlClient('host0', daemon).ask('GET /v1/nodes/{address}/path', question);
  return await asked.then(
    (sent) => pathViewOf(sent, member.name),
    () => undefined,
  );
}

/** @returns the view, or a text that says why there is none */
async function askInMesh({ name, ipv6 }: Member, own: Ipv6, query: PathQuery): Promise<PathView | string> {
  const target = { host: ipv6, port: AGENT_PORT, localAddress: own };
  const limits = { timeoutMs: ANSWER_TIMEOUT_MS, answerMaxBytes: PATH_MAX_BYTES };
  const asked = meshClient(PEER_ROUTES, { name, ...target, ...limits }).ask('GET /path', { query: pathEnds(query) });
  return await asked.then(
    (sent) => pathViewOf(sent, name),
    (error: unknown) => MeshError.from(error).message,
  );
}
