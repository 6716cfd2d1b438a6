/** A small guest on a tap of a bridge: it is started, outlives its supervisor, is adopted by proof, and is powered down. */
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { endedProcess } from '../../../test/kit/ended-process.ts';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { guestCommandLine, type SmallGuest, smallGuest } from '../../../test/kit/small-guest/small-guest.ts';
import { type TemporaryNetns, temporaryNetns } from '../../kernel/netns.ts';
import { makeTap, openTap } from '../../kernel/tap/tap.ts';
import { unixListener } from '../../kernel/unix/unix-listener.ts';
import { systemClock } from '../../model/clock.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { Launcher } from '../process/launcher.ts';
import { isRunning } from '../process/process-mark.ts';
import { proveEmulator } from './adoption.ts';
import { monitorSocketIn, qemuProcess } from './qemu-process.ts';
import { QEMU_FILES, type QemuSpec } from './qemu-spec.ts';
import { QmpClient, type QmpEvent } from './qmp-client.ts';

const UUID = '6f5bbd0e-7bb5-4a2e-9f43-1f2cf6a0a001';
const NOBODY = { uid: 65534, gid: 65534 };
/** A guest boots in two seconds; the machine may have other things to do. */
const WAIT = { timeout: 90_000, interval: 50 };

let guest: SmallGuest;
let netns: TemporaryNetns;
const root = mkdtempSync(join(tmpdir(), 'mw-qemu-'));

beforeAll(async () => {
  guest = await smallGuest();
  netns = temporaryNetns();
  ip(netns.path, 'link add br0 type bridge', 'address add 10.0.0.1/24 dev br0', 'link set br0 up');
}, 300_000);

afterAll(() => {
  netns?.close();
  rmSync(root, { recursive: true, force: true });
});

/** @param name of the directory of the emulator */
function spec(name: string, more: Partial<QemuSpec> = {}): QemuSpec {
  return {
    consoleLog: consoleLogOf(name),
    pidFile: join(root, `${name}.pid`),
    name: 'vm1',
    uuid: UUID,
    accelerator: 'tcg',
    cpuModel: 'max',
    threads: 1,
    memoryBytes: 112 * 1024 * 1024,
    cards: [],
    disks: [],
    firmware: { kind: 'bios' },
    boot: { kernel: guest.kernel, initrd: guest.initrd, append: guestCommandLine(guest, { name: 'vm1' }) },
    screen: false,
    user: NOBODY,
    paused: false,
    ...more,
  };
}

interface Place {
  readonly directory: string;
  readonly records: string;
  readonly outputFile: string;
}

const consoleLogOf = (name: string): string => join(root, `${name}.console.log`);

function placeOf(name: string): Place {
  const directory = join(root, name);
  mkdirSync(directory);
  chownSync(directory, NOBODY.uid, NOBODY.gid);
  return { directory, records: join(root, `${name}.records`), outputFile: join(root, `${name}.log`) };
}

function launcherAt({ records }: Place): Launcher {
  const journal = new Journal(systemClock, 'agent', 'node1');
  const made = new Launcher({
    directory: records,
    clock: systemClock,
    journal,
    openTap: (name) => openTap(name, { netns: netns.path }),
  });
  onTestFinished(async () => {
    await endedProcess(made, 'vm1');
    await made.release();
  });
  return made;
}

/** Waits until the monitor takes the client. */
async function connected(directory: string): Promise<QmpClient> {
  const path = monitorSocketIn(directory);
  const client = await vi.waitFor(() => QmpClient.connect(path, systemClock), WAIT);
  onTestFinished(() => client.close());
  return client;
}

function says(name: string, text: string): Promise<void> {
  const look = () => expect(readFileSync(consoleLogOf(name), 'latin1')).toContain(text);
  return vi.waitFor(look, WAIT);
}

test('a guest on a tap outlives its supervisor, is adopted by proof, and powers down', async () => {
  makeTap('v1', { netns: netns.path });
  ip(netns.path, 'link set v1 master br0 up');
  const place = placeOf('vm1');
  const { directory, records, outputFile } = place;
  const append = guestCommandLine(guest, { name: 'vm1', addresses: [['eth0', '10.0.0.2/24']], pings: ['10.0.0.1'] });
  const qemu = spec('vm1', {
    cards: [{ id: 'n0', mac: '02:00:00:00:00:01', mtuBytes: 1380, model: 'virtio' }],
    boot: { kernel: guest.kernel, initrd: guest.initrd, append },
  });
  const process_ = qemuProcess(qemu, { name: 'vm1', directory, outputFile, taps: ['v1'] });
  // A supervisor of its own, which kills itself as soon as the emulator has its record.
  const script = `
    import { Launcher } from '${import.meta.dirname}/../process/launcher.ts';
    import { openTap } from '${import.meta.dirname}/../../kernel/tap/tap.ts';
    import { systemClock } from '${import.meta.dirname}/../../model/clock.ts';
    const launcher = new Launcher({
      directory: ${JSON.stringify(records)}, clock: systemClock, journal: { record: () => {} },
      openTap: (name) => openTap(name, { netns: ${JSON.stringify(netns.path)} }) });
    launcher.start(${JSON.stringify(process_)});
    setInterval(() => launcher.running('vm1') && process.kill(process.pid, 'SIGKILL'), 5);`;
  const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });

  const launcher = launcherAt(place);
  const running = launcher.running('vm1');
  if (running === undefined) throw new Error('the emulator has no record');
  expect(launcher.start(process_)).toBeUndefined();
  expect(launcher.running('vm1')?.pid).toBe(running.pid);
  await says('vm1', 'guest: ready vm1');
  await says('vm1', 'guest: 10.0.0.1 answers');
  inside(netns.path, 'ping', '-c', '3', '-i', '0.2', '10.0.0.2');
  expect(readFileSync(consoleLogOf('vm1'), 'latin1')).toContain('eth0 02:00:00:00:00:01 mtu 1380');
  const status = readFileSync(`/proc/${running.pid}/status`, 'utf8');
  expect(status).toMatch(/^Uid:\s65534\s65534/m);
  expect(status).toMatch(/^CapEff:\s0{16}$/m);
  expect(status).toMatch(/^Seccomp:\s2$/m);

  const claim = { mark: running, uuid: UUID, directory, listenerOf: unixListener, clock: systemClock };
  const mine = { pid: process.pid, startTime: running.startTime };
  expect(await proveEmulator({ ...claim, mark: mine })).toHaveProperty('against');
  expect(await proveEmulator({ ...claim, uuid: UUID.replace('6', '7') })).toMatchObject({
    against: expect.stringContaining(UUID),
  });
  const adoption = await proveEmulator(claim);
  if (!('monitor' in adoption)) throw new Error(adoption.against);
  const { monitor } = adoption;
  onTestFinished(() => monitor.close());
  expect(await proveEmulator(claim)).toMatchObject({ against: expect.stringContaining('in use') });
  await expect(monitor.execute('no-such-command')).rejects.toMatchObject({ code: 'MESH_QEMU_REFUSED' });

  const events: QmpEvent[] = [];
  monitor.events.subscribe((event) => events.push(event));
  await monitor.execute('system_powerdown');
  await vi.waitFor(() => expect(isRunning(running)).toBe(false), WAIT);
  expect(events).toContainEqual({ event: 'SHUTDOWN', data: { guest: true, reason: 'guest-shutdown' } });
  await vi.waitFor(() => expect(launcher.endOf('vm1')).toBeDefined(), WAIT);
  // It has ended by itself: it is not started again, until its owner wants another one.
  expect(launcher.start(process_)).toMatchObject({ code: 'MESH_PROCESS_FAILED' });
  expect(existsSync(monitorSocketIn(directory))).toBe(false);
}, 300_000);

test('links of the user of emulators lead root nowhere; a second emulator of a directory ends at once', async () => {
  const place = placeOf('locked');
  const { directory, outputFile } = place;
  const victim = join(root, 'victim');
  writeFileSync(victim, 'mine');
  const sockets = [QEMU_FILES.monitor, QEMU_FILES.operatorMonitor, QEMU_FILES.console];
  for (const name of [...sockets, 'console.log', 'pid']) symlinkSync(victim, join(directory, name));
  const launcher = launcherAt(place);
  launcher.start(qemuProcess(spec('locked'), { name: 'vm1', directory, outputFile, taps: [] }));
  const monitor = await connected(directory);
  const second = qemuProcess(spec('locked'), {
    ...{ name: 'vm2', directory, taps: [] },
    outputFile: join(root, 'second.log'),
  });
  launcher.start(second);
  await vi.waitFor(() => expect(launcher.endOf('vm2')).toMatchObject({ status: 1 }), WAIT);
  expect(launcher.endOf('vm2')?.lastLine).toContain('Cannot lock pid file');
  expect(await monitor.execute('query-status')).toMatchObject({ running: true });
  expect(readFileSync(victim, 'utf8')).toBe('mine');
  expect(sockets.map((name) => lstatSync(join(directory, name)).isSocket())).toEqual([true, true, true]);
  expect(readdirSync(directory).toSorted()).toEqual([...sockets, 'console.log', 'pid'].toSorted());
}, 120_000);

test('a tap that another process has open is refused, and a guest that panics says so', async () => {
  makeTap('v2', { netns: netns.path });
  const held = openTap('v2', { netns: netns.path });
  const place = placeOf('panic');
  const { directory, outputFile } = place;
  const launcher = launcherAt(place);
  const append = guestCommandLine(guest, { name: 'vm1', end: ['panic'] });
  const qemu = spec('panic', {
    cards: [{ id: 'n0', mac: '02:00:00:00:00:02', model: 'virtio' }],
    boot: { kernel: guest.kernel, initrd: guest.initrd, append },
  });
  const wanted = qemuProcess(qemu, { name: 'vm1', directory, outputFile, taps: ['v2'] });
  launcher.start(wanted);
  await vi.waitFor(() => expect(launcher.errorOf('vm1')?.message).toContain('EBUSY'), WAIT);
  expect(launcher.running('vm1')).toBeUndefined();
  const { closeSync } = await import('node:fs');
  closeSync(held);
  await vi.waitFor(() => expect(launcher.start(wanted)).toBeUndefined(), WAIT);
  const monitor = await connected(directory);
  const events: string[] = [];
  monitor.events.subscribe(({ event }) => events.push(event));
  await vi.waitFor(() => expect(launcher.endOf('vm1')).toBeDefined(), WAIT);
  expect(events).toContain('GUEST_PANICKED');
}, 180_000);
