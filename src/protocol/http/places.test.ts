/** Who keeps a connection when an endpoint is full: real sockets on loopback, each client with an address of its own. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import type { Mac } from '../../model/address/mac.ts';
import { Places } from './places.ts';

const LIMITS = { connections: 40, connectionsPerPeer: 4, strangers: { connections: 8, connectionsPerPeer: 4 } };
const IDLE_MS = 2_000;

let clock: ManualClock;
let server: Server;
let places: Places;
let members: Set<string>;
/** What the kernel would say: addresses that end with the same number behind the dot are of one machine. */
let behind: (peer: string) => string;
/** The answers that wait. */
let waiting: ServerResponse[];

beforeEach(async () => {
  clock = new ManualClock();
  members = new Set();
  waiting = [];
  behind = (peer) => peer;
  places = new Places({
    limits: LIMITS,
    clock,
    isMember: (peer) => members.has(peer),
    originOf: async (peer) => ({ mac: `02:00:00:00:00:${peer.slice(-2)}` as Mac, behind: behind(peer) }),
  });
  server = createServer(answer).listen(0, '0.0.0.0');
  server.on('connection', (socket) => places.take(socket));
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  places.begin(request, response);
  if (request.url === '/stream') response.writeHead(200).write('on\n');
  else if (request.url === '/later') waiting.push(response);
  else response.end('here\n');
}

/** An idle connection from an address. It is accepted when this resolves. */
async function connected(localAddress: string): Promise<Socket> {
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection');
  const socket = connect({ port, host: '127.0.0.1', localAddress }).on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await accepted;
  return socket.resume();
}

/** The answer's first line to a request on a connection; undefined if the connection is closed instead. */
async function ask(socket: Socket, path = '/'): Promise<string | undefined> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const [data] = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
  return Buffer.isBuffer(data) ? data.toString().split('\r\n')[0] : undefined;
}

async function crowd(count: number, addressOf: (index: number) => string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let index = 0; index < count; index++) sockets.push(await connected(addressOf(index)));
  return sockets;
}

const stranger = (index: number) => `127.7.1.${10 + index}`;
const closedOf = (sockets: readonly Socket[]) => sockets.filter(({ closed }) => closed).length;

test('strangers take no place of a member, and a stranger that comes later is served', async () => {
  members.add('127.7.0.2');
  const stream = await connected('127.7.0.2');
  expect(await ask(stream, '/stream')).toBe('HTTP/1.1 200 OK');
  const idle = await connected('127.7.0.2');
  for (let round = 0; round < 3; round++) {
    await crowd(64, (index) => stranger(index));
    await clock.pass(IDLE_MS);
  }
  for (const address of ['127.7.0.2', '127.7.2.99'])
    expect(await ask(await connected(address))).toBe('HTTP/1.1 200 OK');
  expect([stream.closed, idle.closed]).toEqual([false, false]);
});

test('of one machine with many addresses the oldest goes, and nobody else', async () => {
  behind = (peer) => (peer.startsWith('127.7.1.') ? '10.11.0.7' : peer);
  const other = await connected('127.7.2.2');
  const sockets = await crowd(7, stranger);
  await clock.pass(IDLE_MS);
  await Promise.all([once(sockets[0] as Socket, 'close'), connected('127.7.2.3')]);
  await Promise.all([once(sockets[1] as Socket, 'close'), connected(stranger(50))]);
  expect([other.closed, closedOf(sockets)]).toEqual([false, 2]);
  expect(places.full()).toEqual([{ who: 'strangers', places: 8, most: 'several Ethernet addresses behind 10.11.0.7' }]);
});

test('where nobody is a member, a machine with many addresses gets no more for them', async () => {
  places = new Places({
    limits: { connections: 12, connectionsPerPeer: 4 },
    clock,
    originOf: async (peer) => ({ mac: (peer.startsWith('127.7.1.') ? '02:00:00:00:00:07' : peer) as Mac }),
  });
  const others = await crowd(4, (index) => `127.7.2.${2 + index}`);
  const sockets = await crowd(40, stranger);
  await clock.pass(IDLE_MS);
  others.push(...(await crowd(3, (index) => `127.7.3.${2 + index}`)));
  for (const other of others) expect(await ask(other)).toBe('HTTP/1.1 200 OK');
  await expect.poll(() => closedOf(sockets)).toBe(35);
  expect(places.full()).toEqual([{ who: 'clients', places: 12, most: '02:00:00:00:00:07' }]);
});

test('machines that come in one moment wait for each other’s answers, and none is closed', async () => {
  const sockets = await crowd(20, stranger);
  for (const socket of sockets) socket.write('GET /later HTTP/1.1\r\nHost: x\r\n\r\n');
  await expect.poll(() => waiting.length).toBe(20);
  await clock.pass(IDLE_MS);
  await connected('127.7.2.2');
  const answers = sockets.map((socket) => once(socket, 'data'));
  for (const response of waiting) response.end();
  await Promise.all(answers);
  // The answered ones are idle now, and the next newcomer takes their places.
  const last = await connected('127.7.2.3');
  await expect.poll(() => closedOf(sockets)).toBe(14);
  expect(await ask(last)).toBe('HTTP/1.1 200 OK');
});

test('a machine that begins to be a member while it is connected keeps its connection', async () => {
  const joined = await connected('127.7.0.3');
  members.add('127.7.0.3');
  await clock.pass(IDLE_MS);
  await crowd(12, stranger);
  await clock.pass(IDLE_MS);
  await crowd(12, stranger);
  expect(await ask(joined)).toBe('HTTP/1.1 200 OK');
});

test('an endpoint is full for a minute after the last connection that had to go', async () => {
  expect(places.full()).toEqual([]);
  const sockets = await crowd(8, stranger);
  await clock.pass(IDLE_MS);
  expect(places.full()).toMatchObject([{ who: 'strangers', places: 8 }]);
  await connected('127.7.2.2');
  for (const socket of sockets) socket.destroy();
  await clock.pass(59_000);
  expect(places.full()).toHaveLength(1);
  await clock.pass(1_000);
  await expect.poll(() => places.full()).toEqual([]);
});

test('a second request before the first answer is told apart from one after it', async () => {
  const begun: boolean[] = [];
  server.removeAllListeners('request').on('request', (request: IncomingMessage, response: ServerResponse) => {
    begun.push(places.begin(request, response));
    if (begun.length === 1) setImmediate(() => response.end());
    else response.end();
  });
  const socket = await connected('127.7.0.9');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await expect.poll(() => begun).toEqual([true, false]);
});
