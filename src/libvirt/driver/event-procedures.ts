/** The procedures of events. */
import { EVENT_CALLS as CALLS, EVENT_ID } from '../calls/event-calls.ts';
import { type Procedure, serve } from '../rpc/procedure.ts';
import { foundNetwork } from './found-network.ts';
import { badArgument } from './refusals.ts';
import type { Session } from './session.ts';

const EVENT_IDS: readonly number[] = Object.values(EVENT_ID);

export const EVENT_PROCEDURES: readonly Procedure<Session>[] = [
  serve(CALLS.register, 'open', (session: Session, { eventId, network }) => {
    if (!EVENT_IDS.includes(eventId)) throw badArgument(`unsupported network event ID ${eventId}`);
    const found = network && foundNetwork(session, network);
    return { callbackId: session.register(eventId, found?.uuid) };
  }),
  serve(CALLS.deregister, 'open', (session: Session, { callbackId }) => session.deregister(callbackId)),
];
