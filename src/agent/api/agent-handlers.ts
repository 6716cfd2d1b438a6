/** What the agent answers on its control socket (protocol/routes/agent-routes.ts). */
import type { Writable } from 'node:stream';
import { expose } from '../../metrics/exposition.ts';
import type { Registry } from '../../metrics/registry.ts';
import { MeshError } from '../../model/error.ts';
import { ipv6In } from '../../model/network/node-addresses.ts';
import { VERSION } from '../../model/version.ts';
import type { OpenStream, RouteHandlers } from '../../protocol/calls/route-server.ts';
import { type CaptureQuery, captureSettings } from '../../protocol/documents/capture.ts';
import { type Liveness, readinessOf } from '../../protocol/documents/readiness.ts';
import type { ChannelView } from '../../protocol/documents/views.ts';
import { lastEventId, type ReadConditions, streamJournal } from '../../protocol/http/journal-stream.ts';
import { AGENT_ROUTES } from '../../protocol/routes/agent-routes.ts';
import type { Agent } from '../agent.ts';
import type { Captures } from '../capture/captures.ts';
import { passOnCapture } from '../capture/remote-capture.ts';
import type { Doctor } from '../doctor/doctor.ts';
import { meshPing } from '../ping/mesh-ping.ts';
import type { SizedEcho } from '../ping/path-mtu.ts';
import { trace } from '../trace/tracer.ts';
import { driftView, explainView, membersOf, networkViews, planView, statusView } from '../view/agent-view.ts';
import { memberCalled } from '../view/called-member.ts';
import { channelAddress } from '../view/channel-address.ts';
import { givenNetworkViews } from '../view/given-networks.ts';

/** A pass makes thousands of links in some seconds. One that takes longer than this hangs for good. */
const PASS_LONGEST_MS = 120_000;

/** The parts of the agent's process that the handlers answer from. */
export interface AgentHandlersInput {
  readonly agent: Agent;
  readonly echo: SizedEcho;
  readonly doctor: Doctor;
  readonly conditions: ReadConditions;
  readonly registry: Registry;
  readonly captures: Captures;
  /** The channel to host0; absent on host0. */
  readonly channel?: { readonly view: ChannelView };
  /** On host0: the socket of host0's daemon, which has the channels of the other nodes. */
  readonly daemon?: string;
}

/** The handlers of all routes. */
export function agentHandlers(input: AgentHandlersInput): RouteHandlers<typeof AGENT_ROUTES> {
  const { agent, echo, doctor, conditions, registry, channel, daemon } = input;
  const { clock, journal } = agent.input;
  const startMs = clock.nowMs();
  const upSec = () => Math.round((clock.nowMs() - startMs) / 1000);
  return {
    'GET /health': () => livenessOf(agent, upSec()),
    'GET /ready': () => readinessOf(statusView(agent, 0)),
    'GET /metrics': async ({ headers }) => {
      await agent.refusals.read();
      const { contentType, body } = expose(registry, headers.accept);
      return { headers: { 'content-type': contentType }, text: body };
    },
    'GET /v1/openapi.json': async () => {
      const { openApi } = await import('../../protocol/openapi/openapi.ts');
      return openApi(AGENT_ROUTES, { title: 'Meshwork, agent', where: 'On each machine: /run/meshwork/agent.sock' });
    },
    'GET /v1/events': ({ query: { follow }, headers }, open) =>
      streamJournal(journal, conditions, { follow, lastId: lastEventId(headers) }, open()),
    'GET /v1/status': async () => {
      await agent.readCounts();
      return statusView(agent, upSec(), channel?.view);
    },
    'GET /v1/networks': () => networkViews(agent),
    'GET /v1/given': () => givenNetworkViews(agent),
    'GET /v1/plan': () => planView(agent),
    'GET /v1/drift': () => driftView(agent),
    'GET /v1/explain': ({ query: { object } }) => explainView(agent, object),
    'GET /v1/doctor': () => doctor.examine(),
    'POST /v1/doctor/fix': () => doctor.fix(),
    'GET /v1/ports': async () => {
      await agent.refusals.read();
      return agent.ports.list();
    },
    'PUT /v1/ports/{interface}': ({ path, body }) => agent.ports.plug(path.interface, body.network),
    'DELETE /v1/ports/{interface}': ({ path }) => agent.ports.unplug(path.interface),
    'POST /v1/ping': ({ body }) => meshPing(agent, body, echo),
    'POST /v1/trace': ({ body }) => trace(agent, body, daemon),
    'GET /v1/capture': ({ query }, open) => serveCapture(open, input, query),
  };
}

async function serveCapture(
  open: OpenStream<Writable>,
  { agent, captures, daemon }: AgentHandlersInput,
  query: CaptureQuery & { readonly network: string; readonly node: string },
): Promise<void> {
  const network = agent.networkCalled(query.network);
  const settings = captureSettings(query);
  const member = memberCalled(membersOf(agent, network), query.node, network);
  const { machine, name } = agent.input;
  if (member.ipv6 === ipv6In(network, machine)) {
    await captures.serve(open, { network, settings, who: 'the control socket' });
  } else if (machine === 'host0') {
    const address = channelAddress(agent, network, member);
    await passOnCapture(open, { network, member, address, settings, daemon });
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
  return { live, process: 'agent', node: name, version: VERSION, upSec, ...(!live && { reason }) };
}
