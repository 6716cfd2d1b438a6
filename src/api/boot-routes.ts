/** The boots that host0 sees, on the control socket: all of them, and each again whenever it gets on. */
import type { FastifyInstance } from 'fastify';
import { EventStream } from '../protocol/event-stream.ts';
import type { TimelineView } from '../protocol/timeline-view.ts';

/** Who knows of the boots; the boot room does. */
export interface Boots {
  /** The newest first. */
  views(): readonly TimelineView[];
  /** @returns a function that ends it */
  subscribe(listener: (view: TimelineView) => void): () => void;
}

export function addBootRoutes(app: FastifyInstance, boots: Boots): void {
  app.get('/v1/boots', () => boots.views());
  app.get('/v1/boots/events', (_request, reply) => {
    reply.hijack();
    const stream = new EventStream(reply.raw);
    const send = (view: TimelineView) => stream.send({ event: 'boot', data: JSON.stringify(view) });
    for (const view of boots.views().toReversed()) send(view);
    stream.onClose(boots.subscribe(send));
  });
}
