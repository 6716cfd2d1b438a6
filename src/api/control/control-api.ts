/** host0's control API, on a Unix socket (protocol/documents/views.ts lists the routes). */
import { type FastifyInstance, fastify } from 'fastify';
import { z } from 'zod';
import type { PortOrders } from '../../controller/assignments/port-orders.ts';
import type { NetworkCatalogue } from '../../controller/catalogue/network-catalogue.ts';
import type { Controller } from '../../controller/controller.ts';
import type { ApiMetrics } from '../../metrics/api-metrics.ts';
import { expose } from '../../metrics/exposition.ts';
import type { Registry } from '../../metrics/registry.ts';
import type { Clock } from '../../model/clock.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { BootView, ScanView } from '../../protocol/documents/boot-views.ts';
import { meshDocument } from '../../protocol/documents/mesh-document.ts';
import { type Liveness, readinessOf } from '../../protocol/documents/readiness.ts';
import type { SelfStatus } from '../../protocol/documents/views.ts';
import { CONTROL_TIMES, ControlSocket } from '../../protocol/http/control-socket.ts';
import { EventStream } from '../../protocol/http/event-stream.ts';
import { type ReadConditions, streamJournal } from '../../protocol/http/journal-stream.ts';
import { mustBeOwnRequest } from '../../protocol/http/own-request.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { NetworkStateShape } from '../../protocol/shapes/state-shape.ts';
import type { Channels } from '../channel/channels.ts';
import { answerErrors } from '../error-reply.ts';
import { formed } from '../formed.ts';
import { timeAnswers } from '../timing.ts';
import { addBootRoutes, type Boots } from './boot-routes.ts';
import { addChannelRoutes } from './channel-routes.ts';
import { addKeyRoutes, type KeyGiver } from './key-routes.ts';
import { addNetworkRoutes } from './network-routes.ts';
import { addOrphanRoutes, type OrphanCommands } from './orphan-routes.ts';
import { addPortRoutes } from './port-routes.ts';

/** The boot service, as far as the routes need it (boot/boot-service.ts). */
export interface BootControl {
  view(): Promise<BootView>;
  scan(): Promise<ScanView>;
  /** Ends the processes that serve machines that boot. */
  stopServices(): Promise<void>;
}

/** The running API. */
export interface ControlApi {
  /** Ends all streams, and resolves when the socket is gone. */
  close(): Promise<void>;
}

/** The longest body: the states of all networks of one machine. */
const SELF_MAX_BYTES = 1024 * 1024;

const SelfShape = z.object({ networks: z.record(z.string(), formed(NetworkStateShape)) });
const EventsQuery = z.object({ follow: z.enum(['0', '1']).default('1') });
/** An agent of this version takes a changed underlay apart from the rest. */
const AssignmentQuery = z.object({ underlay: z.literal('apart').optional() });

/** The parts of host0 that the routes answer from. */
export interface ControlApiInput {
  /** The path of the socket, claimed before (control-socket.ts). */
  readonly path: string;
  readonly controller: Controller;
  readonly catalogue: NetworkCatalogue;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly conditions: ReadConditions;
  readonly registry: Registry;
  readonly metrics: ApiMetrics;
  readonly boot: BootControl;
  readonly boots: Boots;
  readonly channels: Channels;
  readonly keys: KeyGiver;
  readonly orphans: OrphanCommands;
  readonly ports: PortOrders;
  /** Why the process should be restarted; undefined when it works. */
  readonly stuck: () => string | undefined;
  /** Brings findings up to date that only a look at a disk gives. */
  readonly beforeStatus: () => Promise<void>;
}

/**
 * Opens the API on its socket.
 * @throws MESH_KERNEL_REFUSED when the process cannot listen there
 */
export async function openControlApi(input: ControlApiInput): Promise<ControlApi> {
  const { path, controller, boot } = input;
  const { requestTimeout, keepAliveTimeout } = CONTROL_TIMES;
  const times = { http: CONTROL_TIMES, requestTimeout, keepAliveTimeout };
  const app = fastify({ bodyLimit: SELF_MAX_BYTES, exposeHeadRoutes: false, ...times });
  answerErrors(app, 'MESH_USAGE');
  app.addHook('onRequest', async ({ headers }) => mustBeOwnRequest(headers));
  timeAnswers(app, 'control', input.metrics);
  app.get('/v1/status', async () => {
    await input.beforeStatus();
    return controller.status();
  });
  app.get('/v1/nodes', () => controller.nodes());
  app.get('/v1/networks', () =>
    controller.networks().map((view) => ({ ...view, network: meshDocument(view.network) })),
  );
  app.get('/v1/boot', () => boot.view());
  app.post('/v1/scan', () => boot.scan());
  app.post('/v1/boot/stop', async (_request, reply) => {
    await boot.stopServices();
    return reply.code(204).send();
  });
  app.put('/v1/self', (request, reply) => {
    controller.selfReported(selfStatus(request.body));
    return reply.code(204).send();
  });
  addBootRoutes(app, input.boots);
  addChannelRoutes(app, input);
  addKeyRoutes(app, input.keys);
  addNetworkRoutes(app, input.catalogue);
  addOrphanRoutes(app, input.orphans);
  addPortRoutes(app, input.ports);
  answerProbes(app, input);
  streamEvents(app, input);
  streamAssignment(app, controller);
  await app.ready();
  const socket = await ControlSocket.open({ path, server: app.server, clock: input.clock, journal: input.journal });
  controller.addHealthOf(socket);
  return {
    close: async () => {
      socket.close();
      const closed = app.close();
      // Streams do not end on their own, and fastify closes only connections that it has accepted itself.
      app.server.closeAllConnections();
      await closed;
    },
  };
}

function selfStatus(body: unknown): SelfStatus {
  const { networks } = SelfShape.parse(body);
  return { networks: networks as Readonly<Record<NetworkId, (typeof networks)[string]>> };
}

function answerProbes(app: FastifyInstance, { controller, registry, stuck }: ControlApiInput): void {
  app.get('/health', (_request, reply) => {
    const { node, version, upSec } = controller.status();
    const reason = stuck();
    const live = reason === undefined;
    const answer: Liveness = { live, process: 'host0', node, version, upSec, ...(!live && { reason }) };
    return reply.code(live ? 200 : 503).send(answer);
  });
  app.get('/ready', (_request, reply) => {
    const readiness = readinessOf(controller.status());
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
  app.get('/metrics', (request, reply) => {
    const { contentType, body } = expose(registry, request.headers.accept);
    return reply.type(contentType).send(body);
  });
}

function streamEvents(app: FastifyInstance, { journal, conditions }: ControlApiInput): void {
  app.get('/v1/events', (request, reply) => {
    EventsQuery.parse(request.query);
    reply.hijack();
    streamJournal(journal, conditions, request.raw, reply.raw);
  });
}

function streamAssignment(app: FastifyInstance, controller: Controller): void {
  app.get('/v1/assignment', (request, reply) => {
    const { underlay } = AssignmentQuery.parse(request.query);
    reply.hijack();
    const stream = new EventStream(reply.raw);
    stream.onClose(
      controller.followAssignment((news) => {
        const isWhole = news.event === 'snapshot' || (news.event === 'underlay' && underlay === undefined);
        if (!isWhole) return stream.send({ event: news.event, data: JSON.stringify(news.data) });
        const whole = news.event === 'snapshot' ? news.data : news.whole;
        const document = { ...whole, networks: whole.networks.map(meshDocument) };
        stream.send({ event: 'snapshot', data: JSON.stringify(document) });
      }),
    );
  });
}
