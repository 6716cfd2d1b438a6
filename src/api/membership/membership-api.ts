/**
 * The membership API inside each mesh (protocol/documents/membership.ts): one application for all meshes. The socket of a
 * request determines its mesh; the content of the request does not.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { type FastifyRequest, fastify } from 'fastify';
import { z } from 'zod';
import type { Membership } from '../../controller/membership/membership.ts';
import type { ApiMetrics } from '../../metrics/api-metrics.ts';
import { isIpv4 } from '../../model/address/ipv4.ts';
import { type Ipv6, ipv6InSubnet, parseIpv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { isMachineId, type MachineId } from '../../model/machine.ts';
import { INVENTORY_MAX_BYTES, type Inventory } from '../../protocol/documents/inventory.ts';
import {
  formatVersion,
  type MembershipEvent,
  membershipMessage,
  NODE_NAME,
  parseVersion,
  REPORT_MAX_BYTES,
  type SelfReport,
  type SelfReportAnswer,
} from '../../protocol/documents/membership.ts';
import { EventStream } from '../../protocol/http/event-stream.ts';
import { fitted } from '../../protocol/shapes/document.ts';
import { InventoryShape } from '../../protocol/shapes/inventory-shape.ts';
import { NetworkStateShape } from '../../protocol/shapes/state-shape.ts';
import { answerErrors } from '../error-reply.ts';
import { formed } from '../formed.ts';
import { timeAnswers } from '../timing.ts';
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
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** The most addresses in `mesh-left`, 9 kB. Pollers notice from the list that other members are missing. */
const LEFT_NAMED = 500;
/** How many streams of one member are kept: streams from before a partition linger until TCP gives them up. */
const STREAMS_PER_MEMBER = 4;

const name = z.string().regex(NODE_NAME, 'is not a host name: letters, digits, dots and hyphens, at most 63');
const machine = z.string().refine(isMachineId, 'is not a machine id: 8 lower-case hex digits');

const Poll = z.object({ name: name.optional(), machine: machine.optional() });

const instance = z.string().regex(/^[0-9A-Za-z-]{1,64}$/, 'is not an instance: 1 to 64 letters, digits and hyphens');

/** Agents of before do not give their instance with an inventory, and then are not believed. */
const Sender = z.object({ instance: instance.exactOptional() });

const hex64 = z.string().regex(/^[0-9a-f]{64}$/, 'is not 64 hex digits');

const Report: z.ZodType<SelfReport> = z.object({
  machine,
  name,
  instance,
  ipv4: z.string().refine(isIpv4, 'is not an IPv4 address'),
  nonce: z
    .string()
    .regex(/^([0-9a-f]{32})?$/, 'is not a nonce: 32 hex digits, or nothing')
    .exactOptional(),
  proof: hex64.exactOptional(),
  token: hex64.exactOptional(),
  leaving: z.boolean().exactOptional(),
  state: formed(NetworkStateShape),
});

/** What the application needs of host0. */
export interface MembershipApiInput {
  /** The connection of a request, by its socket. */
  readonly connectionOf: (request: IncomingMessage) => MeshConnection | undefined;
  /** Takes the inventory of a member's machine. */
  readonly takeInventory: (machine: MachineId, inventory: Inventory) => Promise<void>;
  readonly metrics?: ApiMetrics;
}

/** Makes the application. It opens no socket: mesh-endpoints.ts does. */
export async function membershipApi({
  connectionOf,
  takeInventory,
  metrics,
}: MembershipApiInput): Promise<MembershipApi> {
  const app = fastify({ bodyLimit: REPORT_MAX_BYTES, exposeHeadRoutes: false });
  const lists = new ListTexts();
  const streams = new Map<Ipv6, EventStream[]>();
  answerErrors(app, 'MESH_MEMBER_REPORT_INVALID');
  if (metrics !== undefined) timeAnswers(app, 'membership', metrics);

  app.get('/', async (request, reply) => {
    const { mesh, peer } = admit(request);
    const asked = Poll.parse(request.query);
    if (asked.name !== undefined) await mesh.poll(peer, asked.name, asked.machine);
    const etag = `"${formatVersion(mesh.version)}"`;
    const left = mesh.left().slice(-LEFT_NAMED);
    reply.header('etag', etag).header('cache-control', 'no-cache');
    if (left.length > 0) reply.header('mesh-left', left.join(' '));
    if (request.headers['if-none-match'] === etag) return reply.code(304).send();
    return reply.type('text/plain; charset=utf-8').send(lists.of(mesh, await mesh.whereabouts(peer)));
  });

  app.put('/self', async (request, reply): Promise<SelfReportAnswer> => {
    const { mesh, peer } = admit(request);
    const report = Report.parse(request.body);
    try {
      await mesh.report(peer, report);
    } catch (thrown) {
      const error = MeshError.from(thrown);
      if (error.code !== 'MESH_MEMBER_UNPROVEN') throw thrown;
      reply.code(error.httpStatus);
      return { accepted: false, error: error.toJSON(), nonce: mesh.nonceFor(peer) };
    }
    const nonce = report.nonce !== undefined && { nonce: mesh.nonceFor(peer) };
    return { accepted: true, version: mesh.version, segments: mesh.segments, ...nonce };
  });

  app.put('/inventory', { bodyLimit: INVENTORY_MAX_BYTES }, async (request, reply) => {
    const { mesh, peer } = admit(request);
    const { instance } = Sender.parse(request.body);
    await takeInventory(mesh.machineAt(peer, instance), inventoryOf(request.body));
    return reply.code(204).send();
  });

  app.get('/events', async (request, reply) => {
    const { mesh, peer } = admit(request);
    const viewer = await mesh.whereabouts(peer);
    // Nothing may be awaited, and nothing fail, between these checks and the subscription: the stream would bring nothing.
    mesh.mustBeLoaded();
    mustBeMember(mesh, peer);
    const seen = request.headers['last-event-id'];
    const since = typeof seen === 'string' ? parseVersion(seen) : undefined;
    reply.hijack();
    const stream = new EventStream(reply.raw);
    keepNewest(streams, peer, stream);
    const end = mesh.subscribe(viewer, since, (event) => {
      stream.send(membershipMessage(event));
      if (endsStreamOf(peer, mesh, event)) stream.end();
    });
    stream.onClose(end);
  });

  await app.ready();
  return { handle: (request, response) => app.routing(request, response) };

  /** @throws MESH_MEMBER_FORGED for a peer whose address is not in the mesh's prefix */
  function admit(request: FastifyRequest): { readonly mesh: Membership; readonly peer: Ipv6 } {
    const connection = connectionOf(request.raw);
    const peer = connection === undefined ? undefined : meshAddressOf(connection);
    if (connection !== undefined && peer !== undefined) return { mesh: connection.mesh, peer };
    throw new MeshError('MESH_MEMBER_FORGED', `${connection?.peer ?? 'the sender'} is not an address of this mesh`, {
      rule: 'host0 answers members of the mesh, at addresses of its prefix.',
      remedy: "Ask from the node's own address in the mesh.",
    });
  }
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

/** @throws MESH_MEMBER_REPORT_INVALID */
function inventoryOf(body: unknown): Inventory {
  const { document, fault } = fitted(InventoryShape, body);
  if (fault === undefined) return document;
  throw new MeshError('MESH_MEMBER_REPORT_INVALID', `an inventory that ${fault}`, {
    remedy: 'Send what the protocol describes.',
  });
}
