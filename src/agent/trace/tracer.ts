/** `mesh trace`: asks every agent on a path for its part, and joins the parts. */

import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Member } from '../../model/network/member.ts';
import { isMesh } from '../../model/network/mesh.ts';
import { ipv6In } from '../../model/network/node-addresses.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import { AGENT_PORT } from '../../protocol/documents/tcp-ports.ts';
import {
  type PathQuery,
  type PathView,
  pathEnds,
  type TraceEnd,
  type TraceRequest,
  type TraceView,
} from '../../protocol/documents/trace.ts';
import { readPathView } from '../../protocol/shapes/path-view-shape.ts';
import type { Agent } from '../agent.ts';
import { ask } from '../ping/question.ts';
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
 * @throws MESH_NET_UNKNOWN, MESH_NODE_UNKNOWN, MESH_OBJECT_UNKNOWN, MESH_ADDRESS_INVALID
 */
export async function trace(agent: Agent, request: TraceRequest, daemon?: string): Promise<TraceView> {
  const network = agent.networkCalled(request.network);
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
  const path = `/v1/nodes/${address}/path?${new URLSearchParams({ ...pathEnds(query), network: name })}`;
  const answer = await ask({ socketPath: daemon, path }, ANSWER_TIMEOUT_MS);
  const view = typeof answer === 'string' || answer.status !== 200 ? undefined : viewIn(answer.body, member);
  return typeof view === 'string' ? undefined : view;
}

/** @returns the view, or a text that says why there is none */
async function askInMesh(member: Member, own: Ipv6, query: PathQuery): Promise<PathView | string> {
  const target = {
    host: member.ipv6,
    port: AGENT_PORT,
    localAddress: own,
    path: `/path?${new URLSearchParams({ ...pathEnds(query) })}`,
  };
  const answer = await ask(target, ANSWER_TIMEOUT_MS);
  if (typeof answer === 'string') return answer;
  if (answer.status !== 200) return `it answers ${answer.status}: ${answer.body.slice(0, 200)}`;
  return viewIn(answer.body, member);
}

function viewIn(body: string, { name }: Member): PathView | string {
  try {
    return readPathView(body, name);
  } catch (error) {
    return MeshError.from(error).message;
  }
}
