/** A control socket whose file or directory goes away is made again, and connections go on. */
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../model/clock.ts';
import { Journal } from '../journal/journal.ts';
import { ControlSocket, claimControlSocket } from './control-socket.ts';

/** The directory of the socket is watched; a socket that cannot be made is tried again each second. */
const DEADLINE_MS = 30_000;

async function setUp() {
  const directory = mkdtempSync(join(tmpdir(), 'mw-control-'));
  const path = join(directory, 'run/meshwork/agent.sock');
  const server = createServer((request, response) => {
    // The stream is open until the test closes it.
    if (request.url === '/stream') response.write('first\n');
    else response.end('whole');
  });
  await claimControlSocket(path);
  const journal = new Journal(systemClock, 'agent', 'node1');
  const socket = await ControlSocket.open({ path, server, clock: systemClock, journal });
  onTestFinished(() => {
    socket.close();
    server.closeAllConnections();
    rmSync(directory, { recursive: true });
  });
  return { directory, path, server, socket, journal };
}

async function ask(socketPath: string, path = '/'): Promise<IncomingMessage> {
  const [response] = await once(get({ socketPath, path, agent: false }), 'response');
  return response;
}

async function until(holds: () => boolean): Promise<void> {
  for (const deadline = performance.now() + DEADLINE_MS; !holds(); await new Promise((next) => setTimeout(next, 20))) {
    if (performance.now() > deadline) throw new Error('not in time');
  }
}

test.each([
  ['the file', (_: string, path: string) => rmSync(path)],
  ['its directory', (directory: string) => rmSync(join(directory, 'run'), { recursive: true })],
])('%s of the socket is removed', async (_, remove) => {
  const { directory, path, server, socket, journal } = await setUp();
  const stream = await ask(path, '/stream');
  await once(stream, 'data');
  remove(directory, path);
  await until(() => existsSync(path) && statSync(path).mode % 0o1000 === 0o660);
  (await ask(path)).resume();
  expect(socket.health()).toEqual([]);
  expect(journal.recent().map(({ kind }) => kind)).toEqual(['control socket made again']);
  // The server holds the stream still: its end is seen.
  const ended = once(stream, 'error');
  server.closeAllConnections();
  await ended;
});

test('a socket that cannot be made again is an error until it can', async () => {
  const { directory, path, socket } = await setUp();
  rmSync(join(directory, 'run'), { recursive: true });
  writeFileSync(join(directory, 'run'), 'in the way');
  await until(() => socket.health().length > 0);
  expect(socket.health()).toMatchObject([{ code: 'MESH_KERNEL_REFUSED', severity: 'error', object: path }]);
  rmSync(join(directory, 'run'));
  mkdirSync(join(directory, 'run'));
  await until(() => socket.health().length === 0);
  (await ask(path)).resume();
});

test('a socket that is closed is not made again', async () => {
  const { path, socket } = await setUp();
  socket.close();
  await until(() => !existsSync(path));
  expect(socket.health()).toEqual([]);
});
