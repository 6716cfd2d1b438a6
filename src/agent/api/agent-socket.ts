/**
 * The agent's control socket: HTTP with JSON, for the command line on the same machine. The routes are described in
 * protocol/documents/views.ts.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiMetrics } from '../../metrics/api-metrics.ts';
import { expose } from '../../metrics/exposition.ts';
import type { Registry } from '../../metrics/registry.ts';
import { MeshError } from '../../model/error.ts';
import { memberAddresses } from '../../model/network/member.ts';
import { VERSION } from '../../model/version.ts';
import { httpResponse, type NodeHandler } from '../../protocol/channel/node-request.ts';
import { readCaptureParameters } from '../../protocol/documents/capture.ts';
import { type Liveness, readinessOf } from '../../protocol/documents/readiness.ts';
import type { TraceRequest } from '../../protocol/documents/trace.ts';
import type { ChannelView, PingRequest } from '../../protocol/documents/views.ts';
import { CONTROL_TIMES, ControlSocket, claimControlSocket } from '../../protocol/http/control-socket.ts';
import { createServer } from '../../protocol/http/http.ts';
import { type ReadConditions, streamJournal } from '../../protocol/http/journal-stream.ts';
import { requestListener } from '../../protocol/http/request-handler.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import type { Agent } from '../agent.ts';
import type { Captures } from '../capture/captures.ts';
import { passOnCapture } from '../capture/remote-capture.ts';
import type { Doctor } from '../doctor/doctor.ts';
import { meshPing } from '../ping/mesh-ping.ts';
import type { SizedEcho } from '../ping/path-mtu.ts';
import { trace } from '../trace/tracer.ts';
import { driftView, explainView, membersOf, networkViews, planView, statusView } from '../view/agent-view.ts';
import { memberCalled } from '../view/called-member.ts';
import { givenNetworkViews } from '../view/given-networks.ts';

/** A request carries a few names. */
const MAX_BODY_BYTES = 8 * 1024;
/** A pass makes thousands of links in some seconds. One that takes longer than this hangs for good. */
const PASS_LONGEST_MS = 120_000;

const Name = form.string({ max: 256 });
const PingBody: form.Shape<PingRequest> = form.object({
  network: Name,
  node: Name,
  count: form.exactOptional(form.number()),
  intervalMs: form.exactOptional(form.number()),
});
/** The paths of a channel (protocol/channel/node-request.ts). */
const NODE_PATHS: readonly string[] = ['/status', '/assignment', '/path', '/capture'];
const TraceBody: form.Shape<TraceRequest> = form.object({ network: Name, from: Name, to: Name });
const PlugBody = form.object({ network: Name });

/** The parts of the agent's process that the socket gives access to. */
export interface AgentSocketInput {
  /** The path of the socket. */
  readonly path: string;
  readonly agent: Agent;
  readonly echo: SizedEcho;
  readonly doctor: Doctor;
  readonly conditions: ReadConditions;
  readonly registry: Registry;
  readonly metrics: ApiMetrics;
  readonly captures: Captures;
  /** The channel to host0; absent on host0. */
  readonly channel?: { readonly view: ChannelView };
  /** On host0: what host0's daemon asks its own node, by the routes of a channel. */
  readonly node?: NodeHandler;
  /** On host0: the socket of host0's daemon, which has the channels of the other nodes. */
  readonly daemon?: string;
}

/** The socket while the agent answers there. */
export interface AgentSocket {
  /** Ends the listening and all connections. */
  close(): void;
}

/**
 * Listens at the path, and resolves when it does.
 * @throws MESH_ALREADY_RUNNING when another agent answers at the path
 */
export async function serveAgentSocket(input: AgentSocketInput): Promise<AgentSocket> {
  const { path, agent } = input;
  await claimControlSocket(path);
  const startMs = agent.input.clock.nowMs();
  const listener = requestListener({
    handler: (request, response) => answer(request, response, input, startMs),
    onFault: (thrown) => agent.input.journal.faults.tell('request to the control socket', thrown),
  });
  const server = createServer(CONTROL_TIMES, listener);
  // The group of this socket may do the same as root here: plug ports, and read everything.
  const { clock, journal } = agent.input;
  const socket = await ControlSocket.open({ path, server, clock, journal });
  agent.addHealthOf(socket);
  return {
    close: () => {
      socket.close();
      server.closeAllConnections();
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  input: AgentSocketInput,
  startMs: number,
): Promise<void> {
  const { agent, conditions, registry, metrics } = input;
  const { clock, journal } = agent.input;
  const startOfAnswerMs = clock.nowMs();
  const url = URL.parse(request.url ?? '/', 'http://agent');
  if (url === null) throw new MeshError('MESH_USAGE', 'the request names no path');
  const { method = '' } = request;
  const path = url.pathname.replace(/^\/v1\/ports\/[^/]+$/, '/v1/ports/*');
  if (path === '/v1/events') return streamJournal(journal, conditions, request, response);
  if (input.node !== undefined && NODE_PATHS.includes(path)) {
    return input.node({ method, url: request.url ?? '/', body: request }, httpResponse(response));
  }
  response.once('finish', () => {
    // All unknown paths share one time series.
    const [known, verb] = response.statusCode === 404 ? ['other', 'other'] : [path, method];
    metrics.answered('agent', verb, known, response.statusCode, (clock.nowMs() - startOfAnswerMs) / 1000);
  });
  if (method === 'GET' && path === '/v1/capture') {
    await serveCapture(response, input, url.searchParams);
  } else if (method === 'GET' && path === '/metrics') {
    await agent.refusals.read();
    const { contentType, body } = expose(registry, request.headers.accept);
    response.writeHead(200, { 'content-type': contentType }).end(body);
  } else if (method === 'GET' && path === '/health') {
    const liveness = livenessOf(agent, (clock.nowMs() - startMs) / 1000);
    send(response, liveness.live ? 200 : 503, liveness);
  } else if (method === 'GET' && path === '/ready') {
    const readiness = readinessOf(statusView(agent, 0));
    send(response, readiness.ready ? 200 : 503, readiness);
  } else send(response, 200, await route(request, url, input, startMs));
}

async function serveCapture(
  response: ServerResponse,
  { agent, captures, daemon }: AgentSocketInput,
  parameters: URLSearchParams,
): Promise<void> {
  const network = agent.networkCalled(parameters.get('network') ?? '');
  const settings = readCaptureParameters(parameters);
  const member = memberCalled(membersOf(agent, network), parameters.get('node') ?? '', network);
  const { machine, name } = agent.input;
  if (member.ipv6 === memberAddresses(network, machine).ipv6) {
    await captures.serve(httpResponse(response), { network, settings, who: 'the control socket' });
  } else if (machine === 'host0') {
    await passOnCapture(response, { network, member, settings, daemon });
  } else {
    throw new MeshError('MESH_MEMBER_NOT_ALLOWED', `${name} may not capture on ${member.name}`, {
      object: member.name,
      rule: 'A node captures on itself; on others, host0 alone may.',
      remedy: `Leave out --nodes, or run \`mesh capture ${network.name}\` on host0.`,
    });
  }
}

function livenessOf(agent: Agent, upSec: number): Liveness {
  const { clock, name } = agent.input;
  const passMs = clock.nowMs() - (agent.reconciler.passStartMs ?? clock.nowMs());
  const live = passMs < PASS_LONGEST_MS;
  const reason = `a pass of the loop has been under way for ${Math.round(passMs / 1000)} s`;
  return { live, process: 'agent', node: name, version: VERSION, upSec: Math.round(upSec), ...(!live && { reason }) };
}

async function route(
  request: IncomingMessage,
  url: URL,
  { agent, echo, doctor, channel, daemon }: AgentSocketInput,
  startMs: number,
): Promise<unknown> {
  const port = /^\/v1\/ports\/([^/]{1,64})$/.exec(url.pathname)?.[1];
  switch (`${request.method} ${port === undefined ? url.pathname : '/v1/ports/*'}`) {
    case 'GET /v1/status':
      await agent.readCounts();
      return statusView(agent, Math.round((agent.input.clock.nowMs() - startMs) / 1000), channel?.view);
    case 'GET /v1/networks':
      return networkViews(agent);
    case 'GET /v1/given':
      return givenNetworkViews(agent);
    case 'GET /v1/plan':
      return planView(agent);
    case 'GET /v1/drift':
      return driftView(agent);
    case 'GET /v1/explain':
      return explainView(agent, url.searchParams.get('object') ?? '');
    case 'GET /v1/doctor':
      return doctor.examine();
    case 'POST /v1/doctor/fix':
      return doctor.fix();
    case 'GET /v1/ports':
      await agent.refusals.read();
      return agent.ports.list();
    case 'POST /v1/ping':
      return meshPing(agent, await bodyOf(request, PingBody), echo);
    case 'POST /v1/trace':
      return trace(agent, await bodyOf(request, TraceBody), daemon);
    case 'PUT /v1/ports/*':
      return agent.ports.plug(decodeURIComponent(port ?? ''), (await bodyOf(request, PlugBody)).network);
    case 'DELETE /v1/ports/*':
      return agent.ports.unplug(decodeURIComponent(port ?? ''));
    default:
      throw new MeshError('MESH_OBJECT_UNKNOWN', `the agent has nothing at ${request.method} ${url.pathname}`);
  }
}

function send(response: ServerResponse, status: number, document: unknown): void {
  const body = document === undefined ? '' : `${JSON.stringify(document)}\n`;
  response.writeHead(body === '' ? 204 : status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** @throws MESH_USAGE */
async function bodyOf<T>(request: IncomingMessage, shape: form.Shape<T>): Promise<T> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > MAX_BODY_BYTES) throw new MeshError('MESH_USAGE', 'the request is too large');
    chunks.push(bytes);
  }
  const { document, fault } = readDocument(shape, Buffer.concat(chunks).toString('utf8'));
  if (fault !== undefined) throw new MeshError('MESH_USAGE', `the request ${fault}`);
  return document;
}
