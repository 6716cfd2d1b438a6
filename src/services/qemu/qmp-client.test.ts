/** The monitor's client against monitors that are in use, silent, wrong, or gone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { StatusShape } from './qmp-answers.ts';
import { QmpClient } from './qmp-client.ts';

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';
let path: string;
let clock: ManualClock;

beforeEach(() => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-qmp-'));
  path = join(directory, 'qmp.sock');
  clock = new ManualClock();
  onTestFinished(() => rmSync(directory, { recursive: true }));
});

/** A monitor that answers each command by a function; undefined is no answer. */
async function monitor(
  answer: (command: string, id: number, socket: Socket) => string | undefined,
  greeting = GREETING,
) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write(greeting);
    socket.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(Boolean)) {
        const { execute, id } = JSON.parse(line);
        const said = execute === 'qmp_capabilities' ? '{"return": {}}' : answer(execute, id, socket);
        if (said !== undefined) socket.write(`${JSON.stringify({ ...JSON.parse(said), id })}\r\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

async function client(): Promise<QmpClient> {
  const made = await QmpClient.connect(path, clock);
  onTestFinished(() => made.close());
  return made;
}

test('answers go to their commands, also out of order, and events to the listeners', async () => {
  const late: (() => void)[] = [];
  await monitor((command, id, socket) => {
    if (command !== 'first') return '{"return": {"status": "running", "running": true, "more": 1}}';
    late.push(() =>
      socket.write(`{"return": "late", "id": ${id}}\n{"event": "STOP", "data": {"a": 1}, "timestamp": {}}\n`),
    );
    return undefined;
  });
  const qmp = await client();
  const events: unknown[] = [];
  qmp.events.subscribe((event) => events.push(event));
  const first = qmp.execute('first');
  expect(await qmp.query('query-status', StatusShape)).toEqual({ status: 'running', running: true });
  late[0]?.();
  expect(await first).toBe('late');
  await vi.waitFor(() => expect(events).toEqual([{ event: 'STOP', data: { a: 1 } }]), PATIENCE);
});

test('a refusal has the words of QEMU, and an answer of another form is one', async () => {
  await monitor((command) =>
    command === 'bad' ? '{"error": {"class": "GenericError", "desc": "No"}}' : '{"return": 1}',
  );
  const qmp = await client();
  await expect(qmp.execute('bad')).rejects.toMatchObject({
    code: 'MESH_QEMU_REFUSED',
    message: 'QEMU refuses bad: No',
  });
  await expect(qmp.query('query-status', StatusShape)).rejects.toMatchObject({ code: 'MESH_QEMU_REFUSED' });
});

test('a monitor without a greeting is in use, and one with another greeting is none', async () => {
  await monitor(() => undefined, '');
  const waiting = QmpClient.connect(path, clock);
  const refused = expect(waiting).rejects.toMatchObject({ message: expect.stringContaining('is in use') });
  await clock.pass(1_000);
  await refused;
  await expect(QmpClient.connect(join(path, '..', 'none'), clock)).rejects.toMatchObject({ code: 'MESH_QEMU_SILENT' });
});

test('what is no monitor is not taken for one', async () => {
  await monitor(() => undefined, 'SSH-2.0\n');
  await expect(client()).rejects.toMatchObject({ message: expect.stringContaining('is no monitor') });
});

test('a monitor that does not answer within five seconds hangs, and one that goes ends what waits', async () => {
  const sockets: Socket[] = [];
  await monitor((_, __, socket) => {
    sockets.push(socket);
    return undefined;
  });
  const qmp = await client();
  const hanging = expect(qmp.execute('a')).rejects.toMatchObject({
    message: expect.stringContaining('has not answered a'),
  });
  await clock.pass(5_000);
  await hanging;
  const cut = expect(qmp.execute('b')).rejects.toMatchObject({ code: 'MESH_QEMU_SILENT' });
  await vi.waitFor(() => expect(sockets).toHaveLength(2), PATIENCE);
  const ended = new Promise<void>((resolve) => qmp.ends.subscribe(resolve));
  sockets[0]?.destroy();
  await Promise.all([cut, ended]);
  expect(qmp.isClosed).toBe(true);
  await expect(qmp.execute('c')).rejects.toMatchObject({ code: 'MESH_QEMU_SILENT' });
});
