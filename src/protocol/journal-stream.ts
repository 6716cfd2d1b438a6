/** `GET /v1/events` of both control sockets: what the journal remembers, and then what happens. */
import type { ServerResponse } from 'node:http';
import type { Journal, MeshEvent } from './event.ts';
import { EventStream } from './event-stream.ts';

/** @param follow whether to go on after the remembered events */
export function streamJournal(journal: Journal, response: ServerResponse, follow: boolean): void {
  const stream = new EventStream(response);
  const send = (event: MeshEvent) =>
    stream.send({ id: String(event.seq), event: 'event', data: JSON.stringify(event) });
  for (const event of journal.recent()) send(event);
  if (follow) stream.onClose(journal.subscribe(send));
  else stream.end();
}
