/**
 * `GET /v1/events` of both control sockets. `follow=0`: what the journal remembers, and the end. Else what is so now, as
 * a snapshot, and then what happens: applied to the snapshot, the events give the state at any later time.
 *
 * A stream is resumed by `Last-Event-ID`, `RUN.SEQ`. While the process remembers all since then, that is what is sent;
 * from another life of the process, all that this one has said, and a snapshot. A snapshot comes whole in one go, its
 * events without an id except the last; another may come at any time, and takes the place of what was before.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EventInit, MeshEvent } from '../journal/event.ts';
import type { Journal } from '../journal/journal.ts';
import { EventStream } from './event-stream.ts';

/** What is so now, in the words in which the journal would tell that it came to be so. */
export type ReadConditions = () => readonly EventInit[];

interface Heard {
  readonly run: string;
  readonly seq: number;
}

export function streamJournal(
  journal: Journal,
  conditions: ReadConditions,
  { url, headers }: Pick<IncomingMessage, 'url' | 'headers'>,
  response: ServerResponse,
): void {
  const query = new URL(url ?? '/', 'http://control').searchParams;
  const stream = new EventStream(response);
  const send = (event: MeshEvent, id: string | undefined) =>
    stream.send({ event: 'event', data: JSON.stringify(event), ...(id !== undefined && { id }) });
  const tell = (event: MeshEvent) => send(event, `${journal.run}.${event.seq}`);
  const tellAll = () => {
    const events = snapshotOf(journal, conditions());
    for (const [index, event] of events.entries())
      send(event, index === events.length - 1 ? `${journal.run}.${event.seq}` : undefined);
  };
  if (query.get('follow') === '0') {
    journal.recent().forEach(tell);
    stream.end();
    return;
  }
  const heard = heardOf(headers['last-event-id']);
  const missed = heard?.run === journal.run ? journal.since(heard.seq) : undefined;
  if (missed !== undefined) missed.forEach(tell);
  else {
    if (heard !== undefined && heard.run !== journal.run) journal.recent().forEach(tell);
    tellAll();
  }
  stream.onClose(journal.subscribe(tell, tellAll));
}

function snapshotOf(journal: Journal, conditions: readonly EventInit[]): MeshEvent[] {
  const things = conditions.length === 1 ? 'thing is' : 'things are';
  const title = journal.condition({ kind: 'snapshot', message: `${conditions.length} ${things} so now` });
  return [{ ...title, conditions: conditions.length }, ...conditions.map((condition) => journal.condition(condition))];
}

function heardOf(header: string | string[] | undefined): Heard | undefined {
  const [, run, seq] = /^([0-9a-z]{1,16})\.([0-9]{1,15})$/.exec(String(header ?? '')) ?? [];
  return run === undefined ? undefined : { run, seq: Number(seq) };
}
