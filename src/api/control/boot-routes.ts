/** Routes of the control socket for machines and boots. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { isUnicastMac, type Mac } from '../../model/address/mac.ts';
import { isMachineId, type MachineId } from '../../model/machine.ts';
import type { MachineView } from '../../protocol/documents/machine-view.ts';
import type { TimelineView } from '../../protocol/documents/timeline-view.ts';
import { EventStream } from '../../protocol/http/event-stream.ts';

/** Where the routes get boots (boot/timeline/boot-log.ts) and machines from. */
export interface Boots {
  readonly log: {
    /** All boots that host0 remembers, the newest first. */
    views(): readonly TimelineView[];
    /**
     * Calls `listener` with each boot that changes.
     * @returns a function that ends the subscription
     */
    subscribe(listener: (view: TimelineView) => void): () => void;
  };
  machines(): Promise<readonly MachineView[]>;
  /** Lets a machine boot from one more network card. @returns all cards of the machine */
  addCard(machine: MachineId, mac: Mac): Promise<readonly Mac[]>;
}

const CardPlace = z.object({
  machine: z.string().refine(isMachineId, 'is not a machine id: 8 lower-case hex digits'),
  mac: z.string().refine(isUnicastMac, 'is not the MAC of a network card, such as 52:54:00:12:34:56'),
});

/**
 * Adds `/v1/machines`, a route that adds a card to a machine, `/v1/boots`, and `/v1/boots/events`: all boots, and then each boot
 * again whenever it changes.
 */
export function addBootRoutes(app: FastifyInstance, { log: boots, machines, addCard }: Boots): void {
  app.get('/v1/machines', () => machines());
  app.put('/v1/machines/:machine/cards/:mac', (request) => {
    const { machine, mac } = CardPlace.parse(request.params);
    return addCard(machine, mac);
  });
  app.get('/v1/boots', () => boots.views());
  app.get('/v1/boots/events', (_request, reply) => {
    reply.hijack();
    const stream = new EventStream(reply.raw);
    const send = (view: TimelineView) => stream.send({ event: 'boot', data: JSON.stringify(view) });
    for (const view of boots.views().toReversed()) send(view);
    stream.onClose(boots.subscribe(send));
  });
}
