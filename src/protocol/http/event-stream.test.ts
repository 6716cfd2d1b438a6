/** The sending end of a stream, on real sockets. */
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { EventStream } from './event-stream.ts';

test('a receiver that does not read is cut off before the sender buffers more than a few megabytes', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const asked = once(server, 'request');
    const answered = once(get({ host: '127.0.0.1', port }), 'response');
    const [, response] = await asked;
    const stream = new EventStream(response);
    let over = false;
    stream.onClose(() => {
      over = true;
    });
    const [incoming] = (await answered) as [IncomingMessage];
    incoming.pause().on('error', () => {});

    let most = 0;
    const data = JSON.stringify('x'.repeat(100_000));
    for (let sent = 0; sent < 1000 && !over; sent++) {
      stream.send({ event: 'change', data });
      most = Math.max(most, response.writableLength);
      await nextTurn();
    }
    expect(over).toBe(true);
    expect(most).toBeLessThan(5 * 1024 * 1024);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('events that are sent right before the end arrive', async () => {
  const server = createServer((_request, response) => {
    const stream = new EventStream(response);
    stream.send({ event: 'event', data: '1' });
    stream.send({ event: 'event', data: '2' });
    stream.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect(await answer.text()).toBe('event: event\ndata: 1\n\nevent: event\ndata: 2\n\n');
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
