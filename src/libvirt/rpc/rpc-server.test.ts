/** The places of a server: clients that only read take none of the others. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { SERVER_LIMITS } from './limits.ts';
import { RpcServer } from './rpc-server.ts';
import { VirError } from './vir-error.ts';

test('clients that only read leave the places of the others free', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'libvirt-'));
  const answer = async () => Buffer.alloc(0);
  const server = new RpcServer({
    clock: new ManualClock(),
    journal: { record: () => undefined },
    limits: { ...SERVER_LIMITS, clients: 1, readOnlyClients: 1 },
    answerer: () => ({ answer, errorOf: () => new VirError(1, 'no'), closed: () => undefined }),
  });
  const listeners = [true, false].map((isReadOnly) => server.listener({ isReadOnly }));
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    for (const listener of listeners) listener.close();
    await rm(directory, { recursive: true });
  });
  const [readOnly, whole] = [join(directory, 'ro'), join(directory, 's')];
  for (const [at, path] of [readOnly, whole].entries()) {
    await new Promise<void>((done) => listeners[at]?.listen(path, done));
  }
  const client = (path: string): Socket => {
    const socket = connect(path);
    sockets.push(socket);
    return socket.resume();
  };
  client(readOnly);
  await expect.poll(() => server.clients).toBe(1);
  await once(client(readOnly), 'close');
  client(whole);
  await expect.poll(() => server.clients).toBe(2);
  await once(client(whole), 'close');
  expect(server.clients).toBe(2);
});
