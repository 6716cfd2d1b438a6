/** Endpoints on real loopback sockets, with a clock that the test moves. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { boundListener } from '../../kernel/sockets/listener.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { DeviceEndpoint } from './device-endpoint.ts';
import { DeviceEndpoints } from './device-endpoints.ts';
import type { RequestHandler } from './request-handler.ts';

const ADDRESS = parseIpv4('127.86.0.1');
const LIMITS = { connections: 100, connectionsPerPeer: 3, backlog: 700, http: {} };

let clock: ManualClock;
let port: number;
/** What the endpoints reported, in order. */
let told: string[];

beforeEach(async () => {
  clock = new ManualClock();
  told = [];
  const holder = createServer().listen(0, ADDRESS);
  await once(holder, 'listening');
  port = (holder.address() as AddressInfo).port;
  await new Promise((resolve) => holder.close(resolve));
});

function endpointAt(device: string, handler: RequestHandler = (_, response) => response.end('here')): DeviceEndpoint {
  return new DeviceEndpoint({
    title: 'endpoint of the test',
    device,
    address: ADDRESS,
    port,
    limits: LIMITS,
    openListener: boundListener,
    handler,
    clock,
    onFault: (thrown) => told.push(String(thrown)),
    onFailure: ({ message }) => told.push(message),
    onHearing: (hearing) => told.push(hearing ? 'hears' : 'hears no more'),
  });
}

function open(): DeviceEndpoint {
  const endpoint = endpointAt('lo');
  onTestFinished(() => endpoint.close());
  return endpoint;
}

async function connected(): Promise<Socket> {
  const socket = connect(port, ADDRESS).on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

test('an endpoint listens while its device has an index, and again for a new index', async () => {
  const endpoint = open();
  endpoint.follow(undefined);
  expect(told).toEqual([]);
  endpoint.follow(1);
  endpoint.follow(1);
  await expect.poll(() => told).toEqual(['hears']);
  const [, , backlog] = execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' }).split(/\s+/);
  expect(backlog).toBe('700');
  const before = await connected();
  endpoint.follow(2);
  await once(before, 'close');
  await expect.poll(() => told).toEqual(['hears', 'hears no more', 'hears']);
  expect(await (await fetch(`http://${ADDRESS}:${port}/`)).text()).toBe('here');
  endpoint.close();
  await expect(fetch(`http://${ADDRESS}:${port}/`)).rejects.toThrow();
});

test('a failure to listen is reported once, until the endpoint listens', async () => {
  const holder = createServer().listen(port, ADDRESS);
  await once(holder, 'listening');
  const endpoint = open();
  endpoint.follow(1);
  await clock.pass(2_000);
  endpoint.follow(2);
  await clock.pass(2_000);
  expect(told).toEqual([expect.stringContaining('EADDRINUSE')]);
  await new Promise((resolve) => holder.close(resolve));
  await clock.pass(500);
  await expect.poll(() => told.at(-1)).toBe('hears');
  // A closed endpoint stops trying.
  const other = endpointAt('no-such-device');
  other.follow(1);
  other.close();
  await clock.pass(2_000);
  expect(told.slice(2)).toEqual([expect.stringContaining('ENODEV')]);
});

test('a peer with too many connections loses its oldest', async () => {
  open().follow(1);
  await expect.poll(() => told).toEqual(['hears']);
  const sockets = [await connected(), await connected(), await connected()];
  const ended = once(sockets[0] as Socket, 'close');
  await connected();
  await ended;
  expect(sockets.map(({ closed }) => closed)).toEqual([true, false, false]);
});

test('endpoints open and close with the targets, and follow their devices', async () => {
  const indexes = new Map([['lo', 1]]);
  const endpoints = new DeviceEndpoints({
    keyOf: ({ name }: { name: string }) => name,
    endpointAt: () => endpointAt('lo'),
    indexOf: (device) => indexes.get(device),
  });
  onTestFinished(() => endpoints.close());
  endpoints.serve([{ name: 'one' }]);
  await expect.poll(() => told).toEqual(['hears']);
  endpoints.serve([{ name: 'one' }]);
  indexes.delete('lo');
  endpoints.linksChanged();
  expect(told).toEqual(['hears', 'hears no more']);
  indexes.set('lo', 7);
  endpoints.linksChanged();
  await expect.poll(() => told).toHaveLength(3);
  endpoints.serve([{ name: 'two' }]);
  await expect.poll(() => told.slice(3)).toEqual(['hears no more', 'hears']);
  endpoints.close();
  expect(told.at(-1)).toBe('hears no more');
});

test('a handler that fails answers with its error, and the endpoint goes on', async () => {
  const failures: (() => unknown)[] = [
    () => {
      throw new TypeError('at once');
    },
    async () => {
      throw new TypeError('later');
    },
  ];
  const endpoint = endpointAt('lo', (_, response) => failures.shift()?.() ?? response.end('here'));
  onTestFinished(() => endpoint.close());
  endpoint.follow(1);
  await expect.poll(() => told).toEqual(['hears']);
  for (const message of ['at once', 'later']) {
    const answer = await fetch(`http://${ADDRESS}:${port}/`);
    expect([answer.status, await answer.json()]).toEqual([500, { code: 'MESH_INTERNAL', message }]);
  }
  expect(told.slice(1)).toEqual(['TypeError: at once', 'TypeError: later']);
  expect(await (await fetch(`http://${ADDRESS}:${port}/`)).text()).toBe('here');
});

test('requests for another host, and of web pages, are refused before the handler', async () => {
  const asked: string[] = [];
  const endpoint = endpointAt('lo', ({ url = '' }, response) => {
    asked.push(url);
    response.end('here');
  });
  onTestFinished(() => endpoint.close());
  endpoint.follow(1);
  await expect.poll(() => told).toEqual(['hears']);
  const host = `${ADDRESS}:${port}`;
  const answers = async (...headers: string[]): Promise<string> => {
    const socket = await connected();
    socket.write(`GET /${headers.length} HTTP/1.1\r\n${headers.join('\r\n')}\r\nConnection: close\r\n\r\n`);
    return await text(socket);
  };
  expect(await answers(`Host: ${host}`)).toMatch(/^HTTP\/1\.1 200 /);
  for (const headers of [
    ['Host: rebound.example', 'X: 1'],
    [`Host: ${host}`, 'Origin: http://rebound.example'],
    [`Host: ${host}`, 'Sec-Fetch-Site: cross-site'],
  ]) {
    expect(await answers(...headers)).toMatch(/^HTTP\/1\.1 403 .*"code":"MESH_REQUEST_FOREIGN"/s);
  }
  expect(asked).toEqual(['/1']);
});

test('a client that does not wait for answers is cut off', async () => {
  let requests = 0;
  const endpoint = endpointAt('lo', () => void requests++);
  onTestFinished(() => endpoint.close());
  endpoint.follow(1);
  await expect.poll(() => told).toEqual(['hears']);
  const socket = await connected();
  const closed = once(socket, 'close');
  socket.write(`GET / HTTP/1.1\r\nHost: ${ADDRESS}:${port}\r\n\r\n`.repeat(100));
  await closed;
  expect(requests).toBe(1);
});
