/** Whatever a server sends, a request ends, and a stream ends with its reason. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { MeshError } from '../../model/error.ts';
import { meshClient } from '../../protocol/calls/mesh-client.ts';
import { PEER_ROUTES } from '../../protocol/routes/channel-routes.ts';
import { httpTransport } from './http-transport.ts';

/** A server that answers each connection with these bytes and closes it. */
async function server(bytes: string): Promise<{ readonly host: string; readonly port: number }> {
  const listener = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.end(bytes));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void listener.close());
  await once(listener, 'listening');
  return { host: '127.0.0.1', port: (listener.address() as AddressInfo).port };
}

const BROKEN: readonly (readonly [string, string])[] = [
  ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello'],
  ['half a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhel'],
  ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhel'],
  ['no answer', ''],
  ['another protocol', 'SSH-2.0-x\r\n'],
  ['a promise to go on', 'HTTP/1.1 100 Continue\r\n\r\n'],
];

test.each(BROKEN)('%s ends a request', async (_, bytes) => {
  const target = await server(bytes);
  const timeouts = { connectTimeoutMs: 5_000, timeoutMs: 10_000 };
  await expect(
    httpTransport.exchange(target, { method: 'PUT', path: '/self', body: '{}', ...timeouts }),
  ).rejects.toMatchObject({ code: 'MESH_HOST0_UNREACHABLE' });
  const peer = meshClient(PEER_ROUTES, { ...target, name: 'node1', timeoutMs: 10_000, answerMaxBytes: 1_000 });
  await expect(peer.ask('GET /path', { query: { from: 'a', to: 'b' } })).rejects.toBeInstanceOf(MeshError);
});

/** Resolves with the reason for which a stream ended, and the number of its messages. */
async function streamOf(bytes: string): Promise<{ readonly reason: MeshError | undefined; readonly messages: number }> {
  const target = await server(bytes);
  const { promise, resolve } = Promise.withResolvers<MeshError | undefined>();
  let messages = 0;
  httpTransport.openStream(
    target,
    { path: '/events', silenceMs: 10_000, messageMaxLength: 1_000 },
    { onMessage: () => messages++, onEnd: resolve },
  );
  return { reason: await promise, messages };
}

test.each(BROKEN)('%s ends a stream', async (_, bytes) => {
  expect((await streamOf(bytes)).reason).toMatchObject({ code: 'MESH_HOST0_UNREACHABLE' });
});

test('a message that is too long ends a stream as malformed', async () => {
  const head = 'HTTP/1.1 200 OK\r\n\r\nevent: join\ndata: 1\n\n';
  expect(await streamOf(`${head}data: ${'x'.repeat(2_000)}`)).toMatchObject({
    reason: { code: 'MESH_HOST0_MALFORMED' },
    messages: 0,
  });
});

test('a peer that falls silent ends a request and a stream in time', async () => {
  const listener = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n'));
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  onTestFinished(() => void listener.close());
  const target = { host: '127.0.0.1', port: (listener.address() as AddressInfo).port };
  await expect(
    httpTransport.exchange(target, { method: 'GET', path: '/', connectTimeoutMs: 5_000, timeoutMs: 50 }),
  ).rejects.toMatchObject({ code: 'MESH_HOST0_UNREACHABLE', message: expect.stringContaining('within 0.05 s') });
  const ended = new Promise((onEnd) => {
    const handlers = { onMessage: () => undefined, onEnd };
    httpTransport.openStream(target, { path: '/events', silenceMs: 50, messageMaxLength: 1_000 }, handlers);
  });
  expect(await ended).toMatchObject({ code: 'MESH_HOST0_UNREACHABLE', message: expect.stringContaining('0.05 s') });
});

test('a stream that is closed here ends once, without a reason', async () => {
  const target = await server('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n');
  const reasons: unknown[] = [];
  const handlers = { onMessage: () => undefined, onEnd: (reason: unknown) => reasons.push(reason) };
  const stream = httpTransport.openStream(target, { path: '/', silenceMs: 10_000, messageMaxLength: 9 }, handlers);
  stream.close();
  stream.close();
  await expect(streamOf('')).resolves.toMatchObject({ messages: 0 });
  expect(reasons).toEqual([undefined]);
});
