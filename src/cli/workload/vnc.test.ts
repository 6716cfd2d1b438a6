/** `mesh workload vnc` as users run it, against a control socket and an emulator's socket that sends back what it gets. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { BIN, commandLine } from '../../../test/cli/mesh.ts';
import { listenAt } from '../../../test/kit/route-answer.ts';
import { runOf, workloadNamed } from '../../../test/kit/workloads.ts';
import { Screens } from '../../agent/console/screens.ts';
import { systemClock } from '../../model/clock.ts';
import type { WorkloadView } from '../../protocol/documents/workload/workload-view.ts';
import { SCREEN_ROUTES } from '../../protocol/routes/workload/screen-routes.ts';
import { WORKLOAD_ROUTES } from '../../protocol/routes/workload/workload-routes.ts';

/** A command starts in a second, or later on a machine with other things to do. */
const WITHIN = { timeout: 30_000 };
const ID = '0badcafe';

/** host0 with the virtual machines `web`, which has a screen, and `dark`, which has none. */
async function cluster() {
  const root = mkdtempSync(join(tmpdir(), 'vnc-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const sockets = new Set<Socket>();
  const emulator = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.write('RFB 003.008\n');
    socket.pipe(socket);
  });
  emulator.listen(join(root, 'vnc.sock'));
  await once(emulator, 'listening');
  const gone = (): void => {
    emulator.close();
    for (const socket of sockets) socket.destroy();
  };
  const screens = new Screens(() => join(root, 'vnc.sock'), systemClock);
  screens.follow([{ id: ID, workload: 'web' }]);
  const viewOf = (name: string): WorkloadView => ({
    ...{ name, id: ID, wanted: 'running', generation: 1, state: 'running', node: 'node1', ports: [] },
    workload: workloadNamed(name, { console: { serial: true, vnc: name === 'web' } }),
    run: runOf(ID, { pid: 7 }),
  });
  mkdirSync(join(root, 'run/meshwork'), { recursive: true });
  const routes = { ...SCREEN_ROUTES, 'GET /v1/workloads/{name}': WORKLOAD_ROUTES['GET /v1/workloads/{name}'] };
  const end = await listenAt(join(root, 'run/meshwork/control.sock'), routes, {
    'GET /v1/workloads/{name}': ({ path: { name } }) => viewOf(name),
    'GET /v1/screens/{node}/{workload}': ({ path, query }, open) =>
      screens.watch(open, { ...query, workload: path.workload }),
    'PUT /v1/screens/{node}/{workload}': async ({ path, query, body }) => {
      await screens.say({ ...query, workload: path.workload }, body.base64);
      return {};
    },
  });
  onTestFinished(async () => {
    screens.close();
    gone();
    await end();
  });
  return { root, screens, gone };
}

/** Runs the command until it has ended. */
function command(root: string, ...words: readonly string[]) {
  const child = spawn(BIN, ['--root', root, 'workload', 'vnc', '-w', 'web', ...words]);
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  return { child, errors: textOf(child.stderr), ended: once(child, 'close'), out: () => out };
}

/** A viewer that collects what comes. */
function viewerAt(place: { readonly port: number } | { readonly path: string }) {
  const socket = 'port' in place ? connect(place.port, '127.0.0.1') : connect(place.path);
  socket.on('error', () => socket.destroy());
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  return { socket, text: () => text };
}

test('a viewer at the printed port has the screen in both directions, and the command ends with it', async () => {
  const { root, screens } = await cluster();
  const one = command(root);
  await expect
    .poll(one.out, WITHIN)
    .toMatch(/^The screen of web on node1 waits for a viewer: vncviewer 127\.0\.0\.1::\d+/);
  const port = Number(/::(\d+)/.exec(one.out())?.[1]);
  const viewer = viewerAt({ port });
  await expect.poll(viewer.text, WITHIN).toBe('RFB 003.008\n');
  // More than goes in one request, and than a socket takes at once.
  const much = 'a key '.repeat(50_000);
  viewer.socket.write(much);
  await expect.poll(() => viewer.text().length, WITHIN).toBe(12 + much.length);
  expect(viewer.text().slice(12)).toBe(much);
  const late = viewerAt({ port });
  await expect.poll(() => late.socket.destroyed, WITHIN).toBe(true);

  // A second command is for a second viewer, which does not disturb the first one.
  const path = join(root, 'screen.sock');
  const two = command(root, '--socket', path, '--json');
  await expect.poll(two.out, WITHIN).toContain('\n');
  expect(JSON.parse(two.out())).toEqual({ workload: 'web', node: 'node1', socket: path });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const other = viewerAt({ path });
  await expect.poll(other.text, WITHIN).toBe('RFB 003.008\n');
  expect(screens.viewerCount).toBe(2);
  other.socket.end();
  expect(await two.ended).toEqual([0, null]);
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  viewer.socket.write('more');
  await expect.poll(() => viewer.text().endsWith('more'), WITHIN).toBe(true);
  viewer.socket.end();
  expect(await one.ended).toEqual([0, null]);
  expect(await one.errors).toBe('');
  await expect.poll(() => screens.viewerCount, WITHIN).toBe(0);
}, 120_000);

test('a screen that goes away and Ctrl-C end the command', async () => {
  const { root, gone } = await cluster();
  const waiting = command(root);
  await expect.poll(waiting.out, WITHIN).toContain('waits');
  waiting.child.kill('SIGINT');
  expect(await waiting.ended).toEqual([130, null]);

  const shown = command(root);
  await expect.poll(shown.out, WITHIN).toContain('waits');
  const viewer = viewerAt({ port: Number(/::(\d+)/.exec(shown.out())?.[1]) });
  await expect.poll(viewer.text, WITHIN).toBe('RFB 003.008\n');
  gone();
  expect(await shown.ended).toEqual([0, null]);
  expect(await shown.errors).toBe('The screen of web is gone.\n');
  expect(viewer.socket.readyState).not.toBe('open');

  const closed = command(root);
  await expect.poll(closed.out, WITHIN).toContain('waits');
  viewerAt({ port: Number(/::(\d+)/.exec(closed.out())?.[1]) });
  expect((await closed.ended)[0]).not.toBe(0);
  expect(await closed.errors).toContain('MESH_CONSOLE_CLOSED');
}, 120_000);

test('a workload without a screen is refused, and so is a port that is taken', async () => {
  const { root } = await cluster();
  expect(await commandLine(['--root', root, 'workload', 'vnc', '-w', 'dark'])).toMatchObject({
    stderr: expect.stringContaining('platform.console.vnc=on'),
  });
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  expect(await commandLine(['--root', root, 'workload', 'vnc', '-w', 'web', '--port', String(port)])).toMatchObject({
    stderr: expect.stringContaining(`cannot listen at 127.0.0.1:${port}`),
  });
}, 60_000);
