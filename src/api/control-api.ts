/** host0's control API, on a Unix socket (protocol/views.ts lists the routes). */
import { type FastifyInstance, fastify } from 'fastify';
import { z } from 'zod';
import type { Controller } from '../controller/controller.ts';
import type { NetworkId } from '../model/network.ts';
import type { BootView, ScanView } from '../protocol/boot-views.ts';
import { listenOnControlSocket } from '../protocol/control-socket.ts';
import type { Journal } from '../protocol/event.ts';
import { EventStream } from '../protocol/event-stream.ts';
import { streamJournal } from '../protocol/journal-stream.ts';
import type { SelfStatus } from '../protocol/views.ts';
import { addBootRoutes, type Boots } from './boot-routes.ts';
import { answerErrors } from './error-reply.ts';
import { NetworkStateShape } from './state-shape.ts';

/** The wires that machines boot on (boot/boot.ts). */
export interface BootControl {
  view(): Promise<BootView>;
  scan(): Promise<ScanView>;
  stopServices(): Promise<void>;
}

export interface ControlApiInput {
  readonly controller: Controller;
  readonly journal: Journal;
  readonly boot: BootControl;
  readonly boots: Boots;
}

export interface ControlApi {
  /** Ends all streams, and resolves when the socket is gone. */
  close(): Promise<void>;
}

/** The states of all networks of one machine. */
const SELF_MAX_BYTES = 1024 * 1024;

const SelfShape = z.object({ networks: z.record(z.string(), NetworkStateShape) });
const EventsQuery = z.object({ follow: z.enum(['0', '1']).default('1') });

/**
 * @param path claimed before (control-socket.ts)
 * @throws MESH_KERNEL_REFUSED
 */
export async function openControlApi(
  path: string,
  { controller, journal, boot, boots }: ControlApiInput,
): Promise<ControlApi> {
  const app = fastify({ bodyLimit: SELF_MAX_BYTES, exposeHeadRoutes: false });
  answerErrors(app, 'MESH_USAGE');
  app.get('/v1/status', () => controller.status());
  app.get('/v1/nodes', () => controller.nodes());
  app.get('/v1/networks', () => controller.networks());
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
  addBootRoutes(app, boots);
  streamEvents(app, journal);
  streamAssignment(app, controller);
  await app.ready();
  await listenOnControlSocket(app.server, path);
  return {
    close: async () => {
      const closed = app.close();
      // Streams do not end by themselves, and fastify knows only of sockets that it made itself.
      app.server.closeAllConnections();
      await closed;
    },
  };
}

function selfStatus(body: unknown): SelfStatus {
  const { networks } = SelfShape.parse(body);
  return { networks: networks as Readonly<Record<NetworkId, (typeof networks)[string]>> };
}

function streamEvents(app: FastifyInstance, journal: Journal): void {
  app.get('/v1/events', (request, reply) => {
    const { follow } = EventsQuery.parse(request.query);
    reply.hijack();
    streamJournal(journal, reply.raw, follow === '1');
  });
}

function streamAssignment(app: FastifyInstance, controller: Controller): void {
  app.get('/v1/assignment', (_request, reply) => {
    reply.hijack();
    const stream = new EventStream(reply.raw);
    stream.onClose(
      controller.followAssignment(({ event, data }) => stream.send({ event, data: JSON.stringify(data) })),
    );
  });
}
