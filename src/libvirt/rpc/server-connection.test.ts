/** One client's connection: what waits for what, while the client sends calls without an end. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { INT } from '../xdr/codec.ts';
import { FRAME_TYPE, FrameReader, frameBytes } from './frame.ts';
import { SERVER_LIMITS } from './limits.ts';
import { REMOTE } from './programs.ts';
import { ServerConnection } from './server-connection.ts';
import { VirError } from './vir-error.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A connection whose calls `answer` answers, and the client's end of it. */
async function connected(
  answer: (procedure: number) => Promise<Buffer>,
): Promise<{ readonly client: Socket; readonly connection: ServerConnection }> {
  const directory = await mkdtemp(join(tmpdir(), 'libvirt-'));
  const path = join(directory, 's');
  closers.push(() => rm(directory, { recursive: true }));
  const errorOf = () => new VirError(1, 'no');
  const connection = Promise.withResolvers<ServerConnection>();
  const server = createServer((socket) => {
    const answerer = () => ({ answer, errorOf, isOpen: true, closed: () => undefined });
    const heard = { onHeld: () => undefined, onClosed: () => undefined };
    const input = { socket, answerer, clock: new ManualClock(), limits: SERVER_LIMITS, ...heard };
    connection.resolve(new ServerConnection(input));
  });
  await new Promise<void>((done) => server.listen(path, done));
  const client = connect(path);
  closers.push(() => {
    client.destroy();
    server.close();
  });
  return { client, connection: await connection.promise };
}

function callOf(procedure: number): Buffer {
  return frameBytes({ ...REMOTE, procedure, type: FRAME_TYPE.call, serial: 1, status: 0, payload: Buffer.alloc(0) });
}

/** The types of frames that come, up to a number of them. */
function frameTypes(client: Socket, count: number): Promise<readonly number[]> {
  const { promise, resolve } = Promise.withResolvers<readonly number[]>();
  const reader = new FrameReader(1_000_000);
  const types: number[] = [];
  client.on('data', (piece: Buffer) => {
    reader.push(piece);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) types.push(frame.type);
    if (types.length >= count) resolve(types);
  });
  return promise;
}

test('between the calls of a client that floods, everything else has its turn', async () => {
  const calls = 2_000;
  let answered = 0;
  const answeredBefore: number[] = [];
  const { client } = await connected(async () => {
    if (answered++ === 0) setImmediate(() => answeredBefore.push(answered));
    return Buffer.alloc(0);
  });
  const replies = frameTypes(client, calls);
  client.write(Buffer.concat(Array.from({ length: calls }, () => callOf(1))));
  expect(await replies).toHaveLength(calls);
  expect(answered).toBe(calls);
  expect(answeredBefore[0]).toBeLessThan(50);
});

test('an event waits for the calls that came before it, and for no later ones', async () => {
  const running: PromiseWithResolvers<Buffer>[] = [];
  const came = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const { client, connection } = await connected((procedure) => {
    const call = Promise.withResolvers<Buffer>();
    running.push(call);
    (procedure === 1 ? came : second).resolve();
    return call.promise;
  });
  const frames = frameTypes(client, 2);
  client.write(callOf(1));
  await came.promise;
  connection.send({ procedure: 9, body: INT }, 5);
  client.write(callOf(2));
  await second.promise;
  running[0]?.resolve(Buffer.alloc(0));
  expect(await frames).toEqual([FRAME_TYPE.reply, FRAME_TYPE.message]);
});
