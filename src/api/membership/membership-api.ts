/**
 * The membership API inside each mesh (protocol/documents/membership.ts): one application for all meshes. The socket of a
 * request determines its mesh; the content of the request does not.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Membership } from '../../controller/membership/membership.ts';
import type { ApiMetrics } from '../../metrics/api-metrics.ts';
import { type Ipv6, ipv6InSubnet, parseIpv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { type RouteHandlers, routeServer } from '../../protocol/calls/route-server.ts';
import type { Inventory } from '../../protocol/documents/inventory.ts';
import {
  formatVersion,
  type MembershipEvent,
  membershipMessage,
  parseVersion,
  type SelfReportAnswer,
} from '../../protocol/documents/membership.ts';
import type { EventStream } from '../../protocol/http/event-stream.ts';
import { http1Request, http1Response } from '../../protocol/http/exchange.ts';
import { lastEventId } from '../../protocol/http/journal-stream.ts';
import { MEMBERSHIP_ROUTES } from '../../protocol/routes/membership-routes.ts';
import { ListTexts } from './list-texts.ts';

/** The mesh that a connection belongs to, and its other end. */
export interface MeshConnection {
  readonly mesh: Membership;
  /** `remoteAddress` of the socket. */
  readonly peer: string;
}

/** The application. */
export interface MembershipApi {
  /** Answers a request that came in on a socket of any mesh. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** The most addresses in `mesh-left`, 9 kB. Pollers notice from the list that other members are missing. */
const LEFT_NAMED = 500;
/** How many streams of one member are kept: streams from before a partition linger until TCP gives them up. */
const STREAMS_PER_MEMBER = 4;

/** What the application needs of host0. */
export interface MembershipApiInput {
  /** The connection of a request, by its socket. */
  readonly connectionOf: (request: IncomingMessage) => MeshConnection | undefined;
  /** Takes the inventory of a member's machine. */
  readonly takeInventory: (machine: MachineId, inventory: Inventory) => Promise<void>;
  readonly metrics?: ApiMetrics;
  /** Called with a fault of Meshwork. */
  readonly onFault: (thrown: unknown) => void;
}

/** Makes the application. It opens no socket: mesh-endpoints.ts does. */
export function membershipApi(input: MembershipApiInput): MembershipApi {
  const { connectionOf, metrics, onFault } = input;
  const server = routeServer(MEMBERSHIP_ROUTES, handlers(input), {
    invalid: 'MESH_MEMBER_REPORT_INVALID',
    onFault,
    onAnswer: (...answer) => metrics?.answered('membership', ...answer),
  });
  return {
    handle: (request, response) => server.answer(http1Request(request), http1Response(response), connectionOf(request)),
  };
}

function handlers({
  takeInventory,
}: Pick<MembershipApiInput, 'takeInventory'>): RouteHandlers<typeof MEMBERSHIP_ROUTES, MeshConnection | undefined> {
  const lists = new ListTexts();
  const streams = new Map<Ipv6, EventStream[]>();
  return {
    'GET /': async ({ query, headers, from }) => {
      const { mesh, peer } = admit(from);
      if (query.name !== undefined) await mesh.poll(peer, query.name, query.machine);
      const etag = `"${formatVersion(mesh.version)}"`;
      const left = mesh.left().slice(-LEFT_NAMED);
      const head = { etag, 'cache-control': 'no-cache', ...(left.length > 0 && { 'mesh-left': left.join(' ') }) };
      if (headers['if-none-match'] === etag) return { status: 304, headers: head, text: '' };
      const text = lists.of(mesh, await mesh.whereabouts(peer));
      return { headers: { ...head, 'content-type': 'text/plain; charset=utf-8' }, text };
    },

    'PUT /self': async ({ body: report, from }): Promise<SelfReportAnswer> => {
      const { mesh, peer } = admit(from);
      try {
        await mesh.report(peer, report);
      } catch (thrown) {
        const error = MeshError.from(thrown);
        if (error.code !== 'MESH_MEMBER_UNPROVEN') throw thrown;
        return { accepted: false, error: error.toJSON(), nonce: mesh.nonceFor(peer) };
      }
      const nonce = report.nonce !== undefined && { nonce: mesh.nonceFor(peer) };
      return { accepted: true, version: mesh.version, segments: mesh.segments, ...nonce };
    },

    'PUT /inventory': async ({ body: { instance, ...inventory }, from }) => {
      const { mesh, peer } = admit(from);
      await takeInventory(mesh.machineAt(peer, instance), inventory);
    },

    'GET /events': async ({ headers, from }, open) => {
      const { mesh, peer } = admit(from);
      const viewer = await mesh.whereabouts(peer);
      // Nothing may be awaited, and nothing fail, between these checks and the subscription: the stream would bring nothing.
      mesh.mustBeLoaded();
      mustBeMember(mesh, peer);
      const seen = lastEventId(headers);
      const since = seen === undefined ? undefined : parseVersion(seen);
      const stream = open();
      keepNewest(streams, peer, stream);
      const end = mesh.subscribe(viewer, since, (event) => {
        stream.send(membershipMessage(event));
        if (endsStreamOf(peer, mesh, event)) stream.end();
      });
      stream.onClose(end);
    },
  };
}

/** @throws MESH_MEMBER_FORGED for a peer whose address is not in the mesh's prefix */
function admit(connection: MeshConnection | undefined): { readonly mesh: Membership; readonly peer: Ipv6 } {
  const peer = connection === undefined ? undefined : meshAddressOf(connection);
  if (connection !== undefined && peer !== undefined) return { mesh: connection.mesh, peer };
  throw new MeshError('MESH_MEMBER_FORGED', `${connection?.peer ?? 'the sender'} is not an address of this mesh`, {
    rule: 'host0 answers members of the mesh, at addresses of its prefix.',
    remedy: "Ask from the node's own address in the mesh.",
  });
}

/** The address of a connection's other end, if it is in the mesh's prefix. */
export function meshAddressOf({ mesh, peer }: MeshConnection): Ipv6 | undefined {
  // A link-local peer carries its device: `fe80::1%br456`.
  if (peer === '' || peer.includes('%')) return undefined;
  const ipv6 = parseIpv6(peer);
  return ipv6InSubnet(ipv6, mesh.network.hostAddress.prefix) ? ipv6 : undefined;
}

/** @throws MESH_MEMBER_NOT_ADMITTED */
function mustBeMember(mesh: Membership, peer: Ipv6): void {
  if (mesh.isMember(peer)) return;
  throw new MeshError('MESH_MEMBER_NOT_ADMITTED', `${peer} is not a member of ${mesh.network.name}`, {
    object: mesh.network.name,
    rule: 'Only members get a stream: each stream takes a place for as long as it lasts.',
    remedy: 'Report first (`PUT /self`, or `GET /?name=NAME`), or ask for the list again and again (`GET /`).',
    retryable: true,
  });
}

/** Whether the event says that the peer is no member now. Its agent then reports, joins and opens a new stream. */
function endsStreamOf(peer: Ipv6, mesh: Membership, event: MembershipEvent): boolean {
  if (event.type === 'snapshot') return !mesh.isMember(peer);
  return event.type === 'leave' && event.member.ipv6 === peer;
}

function keepNewest(streams: Map<Ipv6, EventStream[]>, peer: Ipv6, stream: EventStream): void {
  const open = [...(streams.get(peer) ?? []), stream];
  streams.set(peer, open);
  if (open.length > STREAMS_PER_MEMBER) open[0]?.end();
  stream.onClose(() => {
    const rest = (streams.get(peer) ?? []).filter((other) => other !== stream);
    if (rest.length === 0) streams.delete(peer);
    else streams.set(peer, rest);
  });
}
