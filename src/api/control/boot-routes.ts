/** The boots and the machines that host0 sees, on the control socket: all of them, and each again whenever it gets on. */
import type { FastifyInstance } from 'fastify';
import type { MachineView } from '../../protocol/documents/machine-view.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import { EventStream } from '../../protocol/http/event-stream.ts';

/** Who knows of the boots (boot/timeline/boot-log.ts), and of the machines. */
export interface Boots {
  readonly log: {
    /** The newest first. */
    views(): readonly TimelineView[];
    /** @returns a function that ends it */
    subscribe(listener: (view: TimelineView) => void): () => void;
  };
  machines(): Promise<readonly MachineView[]>;
}

export function addBootRoutes(app: FastifyInstance, { log: boots, machines }: Boots): void {
  app.get('/v1/machines', () => machines());
  app.get('/v1/boots', () => boots.views());
  app.get('/v1/boots/events', (_request, reply) => {
    reply.hijack();
    const stream = new EventStream(reply.raw);
    const send = (view: TimelineView) => stream.send({ event: 'boot', data: JSON.stringify(view) });
    for (const view of boots.views().toReversed()) send(view);
    stream.onClose(boots.subscribe(send));
  });
}
