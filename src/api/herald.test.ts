/** A herald with streams over real HTTP on loopback. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EventStream } from '../protocol/event-stream.ts';
import { SseParser } from '../protocol/sse.ts';
import { Herald } from './herald.ts';

const server = createServer();
let stream: EventStream;
let writes: string[];
let heard: AsyncGenerator<string>;

beforeEach(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const response = fetch(`http://127.0.0.1:${port}`);
  const [, reply] = (await once(server, 'request')) as [unknown, ServerResponse];
  stream = new EventStream(reply);
  writes = [];
  const write = reply.write.bind(reply) as (text: string) => boolean;
  reply.write = ((text: string) => {
    writes.push(text);
    return write(text);
  }) as ServerResponse['write'];
  heard = eventsOf(await response);
});

afterEach(() => {
  server.close();
  server.closeAllConnections();
});

async function* eventsOf({ body }: Response): AsyncGenerator<string> {
  const parser = new SseParser();
  if (body === null) return;
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    for (const { data } of parser.push(chunk)) yield data;
  }
}

async function hear(count: number): Promise<string[]> {
  const data: string[] = [];
  while (data.length < count) data.push((await heard.next()).value as string);
  return data;
}

const message = (number: number) => ({ event: 'join', data: String(number) });

test('what comes up together goes out together, and in order', async () => {
  const herald = new Herald();
  for (let number = 0; number < 5; number++) herald.tell(stream, message(number));
  expect(await hear(5)).toEqual(['0', '1', '2', '3', '4']);
  expect(writes).toHaveLength(1);
});

test('what comes up while others are told follows, in order and in one write', async () => {
  const herald = new Herald();
  const slow = { send: () => herald.tell(stream, message(1)) } as unknown as EventStream;
  herald.tell(stream, message(0));
  herald.tell(slow, message(0));
  await hear(1);
  herald.tell(stream, message(2));
  expect(await hear(2)).toEqual(['1', '2']);
  herald.tell(stream, message(3));
  expect(await hear(1)).toEqual(['3']);
});

test('a stream that is over is told nothing', async () => {
  const herald = new Herald();
  herald.tell(stream, message(0));
  herald.forget(stream);
  herald.tell(stream, message(1));
  expect(await hear(1)).toEqual(['1']);
});
