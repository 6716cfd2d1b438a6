/** The screen of a real emulator: several viewers at once, none of which disturbs another one. */
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { endedProcess } from '../../../test/kit/ended-process.ts';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { RfbViewer } from '../../../test/kit/rfb-viewer.ts';
import { systemClock } from '../../model/clock.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { Launcher } from '../../services/process/launcher.ts';
import { qemuProcess } from '../../services/qemu/qemu-process.ts';
import type { QemuSpec } from '../../services/qemu/qemu-spec.ts';
import { Screens } from './screens.ts';

const NOBODY = { uid: 65534, gid: 65534 };
/** An emulator opens its sockets within a tenth of a second; the machine may have other things to do. */
const WAIT = { timeout: 60_000, interval: 20 };
const OWNER = { id: '0badcafe', workload: 'vm1' };

/** Starts an emulator with a screen. @returns the screens of its node, and an end */
function emulated() {
  const root = mkdtempSync(join(tmpdir(), 'mw-screen-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const directory = join(root, OWNER.id);
  mkdirSync(directory);
  chownSync(directory, NOBODY.uid, NOBODY.gid);
  const launcher = new Launcher({
    directory: join(root, 'records'),
    clock: systemClock,
    journal: new Journal(systemClock, 'agent', 'node1'),
  });
  const end = () => endedProcess(launcher, 'vm1');
  onTestFinished(async () => {
    await end();
    await launcher.release();
  });
  const spec: QemuSpec = {
    ...{ name: 'vm1', uuid: '6f5bbd0e-7bb5-4a2e-9f43-1f2cf6a0a003', accelerator: 'tcg', cpuModel: 'max', threads: 1 },
    ...{ memoryBytes: 64 * 1024 * 1024, cards: [], disks: [], firmware: { kind: 'bios' }, screen: true, user: NOBODY },
    // Its firmware does not run: the picture stays as it is.
    ...{ paused: true, consoleLog: join(root, 'vm1.console.log'), pidFile: join(root, 'vm1.pid') },
  };
  launcher.start(qemuProcess(spec, { name: 'vm1', directory, outputFile: join(root, 'vm1.log'), taps: [] }));
  const screens = new Screens(() => join(directory, 'vnc.sock'), systemClock);
  onTestFinished(() => screens.close());
  screens.follow([OWNER]);
  return { screens, end };
}

let words = 0;

/** A viewer, as host0's routes connect one. @param reads whether it takes what the screen sends */
function viewerOf(screens: Screens) {
  const viewer = (++words).toString(16).padStart(16, '0');
  const query = { workload: 'vm1', viewer };
  const out = new PassThrough({ highWaterMark: 1024 });
  const send = (bytes: Buffer) => screens.say(query, bytes.toString('base64'));
  return { out, send, rfb: new RfbViewer(out, send), done: screens.watch(() => out, query) };
}

/** Waits until the emulator listens. */
async function connected(screens: Screens) {
  return vi.waitFor(async () => {
    const viewer = viewerOf(screens);
    await Promise.race([viewer.done, vi.waitFor(() => expect(viewer.out.readableLength).toBeGreaterThan(0), WAIT)]);
    return viewer;
  }, WAIT);
}

test('viewers share a screen, whatever they ask for, and one that does not read delays none', async () => {
  const { screens, end } = emulated();
  const one = await connected(screens);
  expect(await one.rfb.greet(true)).toEqual({
    version: 'RFB 003.008',
    securityTypes: [1],
    width: expect.toSatisfy((width: number) => width >= 640),
    height: expect.toSatisfy((height: number) => height >= 400),
    name: 'QEMU (vm1)',
  });
  const pixel = await one.rfb.pixel();

  // One that wants the screen for itself, and asks for much that it does not read.
  const greedy = await connected(screens);
  await greedy.rfb.greet(false);
  const wholePicture = Buffer.from([3, 0, 0, 0, 0, 0, 0x02, 0x80, 0x01, 0x90]);
  for (let i = 0; i < 20; i++) await greedy.send(wholePicture);
  await vi.waitFor(() => expect(greedy.out.readableLength).toBeGreaterThanOrEqual(1024), WAIT);
  expect(await one.rfb.pixel()).toEqual(pixel);
  greedy.out.destroy();
  await greedy.done;
  await expect(greedy.send(wholePicture)).rejects.toMatchObject({ code: 'MESH_CONSOLE_CLOSED' });
  expect(await one.rfb.pixel()).toEqual(pixel);
  expect(screens.viewerCount).toBe(1);

  const others = Array.from({ length: 7 }, () => viewerOf(screens));
  await expect(viewerOf(screens).done).rejects.toMatchObject({ code: 'MESH_BUSY' });
  for (const { out } of others) out.destroy();
  await Promise.all(others.map(({ done }) => done));

  // The emulator ends, and the viewer is told.
  await end();
  await one.done;
  expect(one.out.destroyed || one.out.writableEnded).toBe(true);
  await expect(viewerOf(screens).done).rejects.toMatchObject({ code: 'MESH_CONSOLE_CLOSED' });
  screens.follow([]);
  await expect(viewerOf(screens).done).rejects.toMatchObject({
    code: 'MESH_CONSOLE_NONE',
    remedy: expect.stringContaining('platform.console.vnc=on'),
  });
}, 180_000);

/** A screen that takes a moment: its socket lets two connections wait, and has them already. */
async function busyScreen() {
  const root = mkdtempSync(join(tmpdir(), 'mw-screen-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const path = join(root, 'vnc.sock');
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    sockets.add(socket);
  });
  server.listen({ path, backlog: 1 });
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const clock = new ManualClock();
  const screens = new Screens(() => path, clock);
  screens.follow([OWNER]);
  /** Takes the places of those that wait, until this turn of the event loop ends. */
  const occupy = (): void => {
    for (let i = 0; i < 2; i++) sockets.add(connect(path));
  };
  return { screens, clock, occupy, accepted: () => accepted };
}

test('a viewer that is removed while it connects is told', async () => {
  const { screens } = await busyScreen();
  const { done } = viewerOf(screens);
  screens.follow([]);
  await expect(done).rejects.toMatchObject({ code: 'MESH_CONSOLE_CLOSED' });
  expect(screens.viewerCount).toBe(0);
});

test.each([
  ['is gone', [], 'MESH_CONSOLE_NONE'],
  ['is another one', [{ id: '1badcafe', workload: 'vm1' }], 'MESH_CONSOLE_CLOSED'],
])('a viewer that waits for its turn does not connect when the virtual machine %s', async (_name, owners, code) => {
  const { screens, clock, occupy, accepted } = await busyScreen();
  occupy();
  const { done } = viewerOf(screens);
  const ended = expect(done).rejects.toMatchObject({ code });
  await vi.waitFor(() => expect(accepted()).toBe(2), WAIT);
  expect(screens.viewerCount).toBe(1);
  screens.follow(owners);
  await clock.pass(100);
  await ended;
  expect(screens.viewerCount).toBe(0);
  expect(accepted()).toBe(2);
});
