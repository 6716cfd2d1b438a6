/** A follower of events loses none when the stream breaks or the process restarts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { ControlClient } from '../../protocol/calls/control-client.ts';
import { EventStream } from '../../protocol/http/event-stream.ts';
import { createServer } from '../../protocol/http/http.ts';
import { lastEventId, streamJournal } from '../../protocol/http/journal-stream.ts';
import type { EventInit, MeshEvent } from '../../protocol/journal/event.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { followEvents } from './event-follow.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Serves a journal on a socket, as host0's daemon does. */
async function speaker(
  sock: string,
  journal: Journal,
  conditions: () => EventInit[],
): Promise<{ stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const stream = new EventStream(response);
    streamJournal(journal, conditions, { follow: true, lastId: lastEventId(request.headers) }, stream);
  });
  await new Promise<void>((resolve) => server.listen(sock, resolve));
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  closing.push(stop);
  return { stop };
}

class Listener {
  readonly events: MeshEvent[] = [];
  readonly #abort = new AbortController();
  #wake = () => {};
  away = 0;

  constructor(client: ControlClient) {
    const done = followEvents(client, {
      signal: this.#abort.signal,
      onEvent: (event) => {
        this.events.push(event);
        this.#wake();
      },
      onAway: () => {
        this.away++;
        this.#wake();
      },
    });
    closing.push(async () => {
      this.#abort.abort();
      await done;
    });
  }

  async until(what: (heard: Listener) => boolean): Promise<void> {
    while (!what(this)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  get told(): string[] {
    return this.events.map(({ message, snapshot }) => (snapshot ? `now: ${message}` : message));
  }
}

test('a follower begins with the present conditions, and gets each event once, over interruptions and restarts', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mesh-follow-'));
  closing.push(() => rm(directory, { recursive: true }));
  const sock = join(directory, 'control.sock');
  const clock = new ManualClock();
  const conditions = () => [{ kind: 'member joined', message: 'a is in', object: 'a' }];

  const first = new Journal(clock, 'host0', 'host0');
  first.record({ kind: 'member joined', message: 'a joined', object: 'a' });
  let running = await speaker(sock, first, conditions);
  const listener = new Listener(new ControlClient('host0', sock));
  await listener.until(({ events }) => events.length === 2);
  first.record({ kind: 'member joined', message: 'b joined', object: 'b' });
  await listener.until(({ events }) => events.length === 3);

  await running.stop();
  await listener.until(({ away }) => away === 1);
  first.record({ kind: 'member left', message: 'b left', object: 'b' });
  running = await speaker(sock, first, conditions);
  await listener.until(({ events }) => events.length === 4);
  const sofar = ['now: 1 condition holds now', 'now: a is in', 'b joined', 'b left'];
  expect(listener.told).toEqual(sofar);

  await running.stop();
  await listener.until(({ away }) => away === 2);
  await clock.pass(5);
  const second = new Journal(clock, 'host0', 'host0');
  second.record({ kind: 'started', message: 'started again' });
  await speaker(sock, second, conditions);
  await listener.until(({ events }) => events.length === 7);
  second.record({ kind: 'member joined', message: 'c joined', object: 'c' });
  await listener.until(({ events }) => events.length === 8);
  expect(listener.told).toEqual([...sofar, 'started again', 'now: 1 condition holds now', 'now: a is in', 'c joined']);
});

test('a process that has never answered is an error', async () => {
  const client = new ControlClient('agent', '/nowhere/agent.sock');
  await expect(followEvents(client, { onEvent: () => {}, onAway: () => {} })).rejects.toMatchObject({
    code: 'MESH_NOT_RUNNING',
  });
});
