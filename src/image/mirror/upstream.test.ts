/** Where a source leads to. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { redirectionFrom, WebUpstream } from './upstream.ts';

test('a server that sends a byte now and then counts as away', async () => {
  const server = createServer((_, response) => {
    const drip = setInterval(() => response.write('x'), 5);
    response.once('close', () => clearInterval(drip));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const upstream = new WebUpstream(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 1000);
  const { pieces } = await upstream.open('file', 0);
  const reading = (async () => {
    for await (const _ of pieces);
  })();
  await expect(reading).rejects.toMatchObject({ code: 'MESH_MIRROR_FETCH', retryable: true });
});

test('a redirection is followed, and one without end is not', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/end') return void response.end('here');
    response.writeHead(302, { location: request.url === '/file' ? '/end' : '/loop' }).end();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const upstream = new WebUpstream(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const { pieces } = await upstream.open('file', 0);
  let text = '';
  for await (const piece of pieces) text += piece.toString();
  expect(text).toBe('here');
  await expect(upstream.open('loop', 0)).rejects.toMatchObject({ code: 'MESH_MIRROR_FETCH' });
});

test.each([
  ['https://a.example/x', 'https://b.example/y', 'https://b.example/y'],
  ['https://a.example/x', '/y', 'https://a.example/y'],
  ['http://a.example/x', 'https://b.example/y', 'https://b.example/y'],
  ['http://a.example/x', 'http://b.example/y', 'http://b.example/y'],
  ['https://a.example/x', 'http://b.example/y', undefined],
  ['https://a.example/x', 'file:///etc/passwd', undefined],
])('from %s to %s leads %s', (url, location, to) => {
  expect(redirectionFrom(url, location)).toBe(to);
});
