/**
 * `GET /v1/events` of both control sockets.
 *
 * With `follow=0`: the events that the journal remembers, and then the end. Otherwise: a snapshot of the present
 * conditions, and then each event as it happens. Applied to the snapshot, the events give the state at any later time.
 *
 * A stream is resumed by `Last-Event-ID: RUN.SEQ`:
 * - While the journal remembers all events since then, these are sent.
 * - If the id is of an earlier run of the process, all remembered events of this run are sent, and a snapshot.
 * - In all other cases, a snapshot is sent.
 *
 * A snapshot is sent without other events in between; only its last event has an id. Another snapshot may come at any
 * time, and replaces the one before.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { EventInit, MeshEvent } from '../journal/event.ts';
import type { Journal } from '../journal/journal.ts';
import type { EventStream } from './event-stream.ts';

/** The present conditions, each as the event that would record its beginning. */
export type ReadConditions = () => readonly EventInit[];

interface Heard {
  readonly run: string;
  readonly seq: number;
}

/** What a request for events asks for. */
export interface JournalQuestion {
  /** Whether the stream goes on behind the remembered events. */
  readonly follow: boolean;
  /** The id of the last event that the asker has had. */
  readonly lastId: string | undefined;
}

/** The `Last-Event-ID` of a request. */
export function lastEventId(headers: IncomingHttpHeaders): string | undefined {
  const id = headers['last-event-id'];
  return typeof id === 'string' ? id : undefined;
}

/** Answers a request for events on `stream`, until the other end or the process ends it. */
export function streamJournal(
  journal: Journal,
  conditions: ReadConditions,
  { follow, lastId }: JournalQuestion,
  stream: EventStream,
): void {
  const send = (event: MeshEvent, id: string | undefined) =>
    stream.send({ event: 'event', data: JSON.stringify(event), ...(id !== undefined && { id }) });
  const tell = (event: MeshEvent) => send(event, `${journal.run}.${event.seq}`);
  const tellAll = () => {
    const events = snapshotOf(journal, conditions());
    for (const [index, event] of events.entries())
      send(event, index === events.length - 1 ? `${journal.run}.${event.seq}` : undefined);
  };
  if (!follow) {
    journal.recent().forEach(tell);
    stream.end();
    return;
  }
  const heard = heardOf(lastId);
  const missed = heard?.run === journal.run ? journal.since(heard.seq) : undefined;
  if (missed !== undefined) missed.forEach(tell);
  else {
    if (heard !== undefined && heard.run !== journal.run) journal.recent().forEach(tell);
    tellAll();
  }
  stream.onClose(journal.subscribe(tell, tellAll));
}

function snapshotOf(journal: Journal, conditions: readonly EventInit[]): MeshEvent[] {
  const hold = conditions.length === 1 ? 'condition holds' : 'conditions hold';
  const title = journal.condition({ kind: 'snapshot', message: `${conditions.length} ${hold} now` });
  return [{ ...title, conditions: conditions.length }, ...conditions.map((condition) => journal.condition(condition))];
}

function heardOf(id: string | undefined): Heard | undefined {
  const [, run, seq] = /^([0-9a-z]{1,16})\.([0-9]{1,15})$/.exec(id ?? '') ?? [];
  return run === undefined ? undefined : { run, seq: Number(seq) };
}
