/** A machine has host0's addresses while its own host0 leads, and gives them up before another can lead. */
import { once } from 'node:events';
import { link, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import type { LeadershipView } from '../../protocol/documents/views.ts';
import { Host0Seat } from './host0-seat.ts';
import { httpTransport } from './http-transport.ts';
import type { Target, Transport } from './transport.ts';

const SEGMENT = { device: 'eth1', ipv4: '10.11.0.1', subnet: '10.11.0.0/24' };
const LEADS = { state: 'leads', leader: 'rack1', segments: [SEGMENT] } as unknown as LeadershipView;
const HOST0 = { host: 'fd42::1', port: 8000 } as Target;

async function machine() {
  const clock = new ManualClock();
  let answer: LeadershipView | Error | undefined;
  const transport: Transport = {
    exchange: async () => {
      if (answer === undefined) throw new Error('no answer');
      if (answer instanceof Error) throw answer;
      return { status: 200, body: JSON.stringify(answer) };
    },
    openStream: () => ({ close: () => undefined }),
  };
  const seat = new Host0Seat({ controlSock: 'control.sock', sockets: '/run/host0', clock, transport });
  let changes = 0;
  seat.changes.subscribe(() => {
    changes++;
  });
  await seat.start();
  const says = async (view: LeadershipView | Error | undefined, forMs: number) => {
    answer = view;
    await clock.pass(forMs);
  };
  return { seat, says, changes: () => changes };
}

test('requests go to the own host0 while it leads', async () => {
  const { seat, says } = await machine();
  expect([seat.taken, seat.placeOf(HOST0), seat.channelSocket]).toEqual([undefined, HOST0, undefined]);
  await says(LEADS, 500);
  expect(seat.taken).toEqual({ segments: [SEGMENT], nics: [] });
  expect(seat.placeOf(HOST0)).toEqual({ socketPath: '/run/host0/fd42::1.sock' });
  expect(seat.channelSocket).toBe('/run/host0/channel.sock');
  await says({ state: 'waits', leader: 'rack2' }, 500);
  expect(seat.taken).toBeUndefined();
});

test('a host0 that answers late keeps its addresses, one that is silent loses them before its lease ends', async () => {
  const { seat, says, changes } = await machine();
  await says(LEADS, 500);
  await says(undefined, 1_000);
  expect(seat.taken).toBeDefined();
  await says(LEADS, 500);
  expect(changes()).toBe(1);
  await says(undefined, 2_000);
  expect(seat.taken).toBeUndefined();
});

test.each([
  ['is gone', async (socketPath: string) => rm(socketPath)],
  ['takes no connection', async (socketPath: string) => rename(`${socketPath}.left`, socketPath)],
])('a host0 whose control socket %s loses its addresses at once', async (_, end) => {
  const directory = await mkdtemp(join(tmpdir(), 'mw-seat-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const socketPath = join(directory, 'control.sock');
  const server = createServer().listen(socketPath);
  await once(server, 'listening');
  await link(socketPath, `${socketPath}.left`);
  server.close();
  await once(server, 'close');
  await writeFile(socketPath, '');
  await end(socketPath);
  const request = { method: 'GET', path: '/', connectTimeoutMs: 10_000, timeoutMs: 10_000 } as const;
  const ended: unknown = await httpTransport.exchange({ socketPath }, request).catch((thrown: unknown) => thrown);
  if (!(ended instanceof Error)) throw new Error('nobody listens there');
  const { seat, says } = await machine();
  await says(LEADS, 500);
  expect(seat.taken).toBeDefined();
  await says(ended, 300);
  expect(seat.taken).toBeUndefined();
});
