/** The places of a server: clients that only read take none of the others. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { unixPeer } from '../../kernel/unix/unix-peer.ts';
import { SERVER_LIMITS, type ServerLimits } from './limits.ts';
import { RpcServer } from './rpc-server.ts';
import { VirError } from './vir-error.ts';

/** Who is told, and what is kept. */
interface Opened {
  readonly server: RpcServer;
  readonly clock: ManualClock;
  /** What the journal was told, without the numbers of processes. */
  readonly told: string[];
  /** Connects a client. */
  readonly client: (isReadOnly?: boolean) => Socket;
}

/** A server with two sockets, whose clients open no connection. */
async function opened(limits: Partial<ServerLimits>): Promise<Opened> {
  const directory = await mkdtemp(join(tmpdir(), 'libvirt-'));
  const answer = async () => Buffer.alloc(0);
  const clock = new ManualClock();
  const told: string[] = [];
  const server = new RpcServer({
    ...{ clock, peerOf: unixPeer },
    journal: { record: ({ message }) => void told.push(message.replace(`${process.pid}`, 'PID')) },
    limits: { ...SERVER_LIMITS, ...limits },
    answerer: () => ({ answer, errorOf: () => new VirError(1, 'no'), isOpen: false, closed: () => undefined }),
  });
  const listeners = [true, false].map((isReadOnly) => server.listener({ isReadOnly }));
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    for (const listener of listeners) listener.close();
    await rm(directory, { recursive: true });
  });
  for (const [at, listener] of listeners.entries()) {
    await new Promise<void>((done) => listener.listen(join(directory, `${at}`), done));
  }
  const client = (isReadOnly = false): Socket => {
    const socket = connect(join(directory, isReadOnly ? '0' : '1'));
    sockets.push(socket);
    return socket.on('error', () => undefined).resume();
  };
  return { server, clock, told, client };
}

test('clients that only read leave the places of the others free', async () => {
  const { server, client } = await opened({ clients: 1, readOnlyClients: 1 });
  client(true);
  await expect.poll(() => server.clients).toBe(1);
  await once(client(true), 'close');
  client();
  await expect.poll(() => server.clients).toBe(2);
  await once(client(), 'close');
  expect(server.clients).toBe(2);
});

test('a client that opens no connection loses its place, and the journal says which process it was', async () => {
  const { server, clock, client, told } = await opened({});
  const closed = once(client(), 'close');
  await expect.poll(() => server.clients).toBe(1);
  await clock.pass(SERVER_LIMITS.patienceMs);
  await closed;
  const who = `process PID of user ${process.getuid?.()}`;
  await expect
    .poll(() => told)
    .toEqual([`${who} has connected`, `${who} was cut off: it has not opened its connection`]);
});

test('halves of requests of all clients together are bounded: the client with the most goes', async () => {
  const { server, client } = await opened({ allBytes: 100_000 });
  const half = (bytes: number): Buffer => {
    const frame = Buffer.alloc(bytes);
    frame.writeUInt32BE(2_000_000, 0);
    return frame;
  };
  const [small, large] = [client(), client()];
  const closed = once(large, 'close');
  small.write(half(40_000));
  large.write(half(50_000));
  await expect.poll(() => server.heldBytes).toBe(90_000);
  small.write(Buffer.alloc(9_000));
  await expect.poll(() => server.heldBytes).toBe(99_000);
  small.write(Buffer.alloc(900));
  large.write(Buffer.alloc(1_000));
  await closed;
  expect(server.clients).toBe(1);
});
