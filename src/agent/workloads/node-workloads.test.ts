/** Workloads on the real loop, with real emulators: every end has its own state, and nothing is started twice. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryGroup } from '../../../test/kit/memory-group.ts';
import { ip } from '../../../test/kit/namespaces.ts';
import { meshNumber } from '../../../test/kit/networks.ts';
import {
  type GuestWishes,
  guestCommandLine,
  type SmallGuest,
  smallGuest,
} from '../../../test/kit/small-guest/small-guest.ts';
import { workload as web } from '../../../test/kit/workloads.ts';
import { SmallDisk } from '../../../test/system/small-disk.ts';
import { OwnedFiles } from '../../disk/owned-files.ts';
import { temporaryNetns } from '../../kernel/netns.ts';
import { wasKilledForMemory } from '../../kernel/out-of-memory.ts';
import { makeTap, openTap } from '../../kernel/tap/tap.ts';
import { unixListener } from '../../kernel/unix/unix-listener.ts';
import { parseMac } from '../../model/address/mac.ts';
import { type Clock, systemClock } from '../../model/clock.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Signal } from '../../model/signal.ts';
import type { Workload } from '../../model/workload/workload.ts';
import type { AssignedPort } from '../../protocol/documents/node-assignment.ts';
import type { AssignedWorkload, WorkloadRun } from '../../protocol/documents/workload/assigned-workload.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { Launcher } from '../../services/process/launcher.ts';
import { findMark, isRunning } from '../../services/process/process-mark.ts';
import { findProgram } from '../../services/process/program-path.ts';
import { QEMU } from '../../services/qemu/qemu-spec.ts';
import { QmpClient } from '../../services/qemu/qmp-client.ts';
import { judgeGiven } from '../assignment/node-document.ts';
import { PartFold } from '../desired/part-fold.ts';
import { servicePart } from '../desired/parts/service.ts';
import { ImageCache } from '../images/image-cache.ts';
import { thinVolume } from '../images/qemu-img.ts';
import { Volumes } from '../images/volumes.ts';
import { SystemKernel } from '../kernel/system-kernel.ts';
import { printStep } from '../loop/plan.ts';
import { Reconciler } from '../loop/reconciler.ts';
import { Arrivals } from '../moves/arrivals.ts';
import { NodeServices } from '../services/node-services.ts';
import { NodeWorkloads } from './node-workloads.ts';

const ID = '1a2b3c4d';
const WAIT = { timeout: 90_000, interval: 50 };
const MIB = 1024 * 1024;

/** Of the workloads. */
let clock: Clock;
let root: string;
let netns: string;
let journal: Journal;
let guest: SmallGuest;

beforeAll(async () => {
  guest = await smallGuest();
}, 300_000);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mw-vm-'));
  clock = systemClock;
  const namespace = temporaryNetns();
  netns = namespace.path;
  journal = new Journal(systemClock, 'agent', 'node1');
  ip(netns, 'link set lo up');
  onTestFinished(() => {
    namespace.close();
    rmSync(root, { recursive: true, force: true });
  });
});

/** An emulator without a disk: its firmware finds nothing to boot, and the emulator runs on. */
function assigned(more: Partial<Workload> = {}, of: Partial<AssignedWorkload> = {}): AssignedWorkload {
  const workload: Workload = { ...web, memoryBytes: 64 * MIB, volumes: [], networks: [], ...more };
  return { kind: 'vm', id: ID, generation: 1, workload, ports: {}, wanted: 'running', ...of };
}

/** A small guest that boots. */
function booting(wishes: Partial<GuestWishes>): Pick<Workload, 'boot' | 'memoryBytes'> {
  const append = guestCommandLine(guest, { name: 'web', ...wishes });
  return { boot: { kernel: guest.kernel, initrd: guest.initrd, append }, memoryBytes: 112 * MIB };
}

/** Volumes that tell of a removal, and count the requests for one. */
class WatchedVolumes extends Volumes {
  readonly #onRemoval: () => void;
  requests = 0;

  constructor(images: ImageCache, onRemoval: () => void) {
    super(images, root, '/');
    this.#onRemoval = onRemoval;
  }

  override ensure(...wanted: Parameters<Volumes['ensure']>): ReturnType<Volumes['ensure']> {
    this.requests++;
    return super.ensure(...wanted);
  }

  override async remove(volume: { readonly path: string }): Promise<void> {
    this.#onRemoval();
    await super.remove(volume);
  }
}

/** An agent, as far as workloads are concerned. */
class Node {
  readonly #kernel: SystemKernel;
  readonly #services: NodeServices;
  readonly #reconciler: Reconciler;
  readonly #changes = new Signal<void>();
  readonly workloads: NodeWorkloads;
  readonly volumes: WatchedVolumes;
  /** The steps of all passes that were carried out. */
  readonly steps: string[] = [];
  given: readonly AssignedWorkload[];
  /** host0 has given the workloads since the agent started. */
  isConfirmed = true;
  ports: readonly AssignedPort[] = [];
  /** The network that the node does not let host0 change. */
  management: NetworkId | undefined;
  /** Called while the files of a workload are being removed. */
  onRemoval: () => void = () => undefined;
  #crashed = false;

  private constructor(kernel: SystemKernel, given: readonly AssignedWorkload[]) {
    this.given = given;
    this.#kernel = kernel;
    const launcher = new Launcher({
      directory: join(root, 'processes'),
      clock: systemClock,
      journal,
      openTap: (name) => openTap(name, { netns }),
    });
    this.#services = new NodeServices(launcher, new OwnedFiles(join(root, 'files')));
    const node = this;
    const images = new ImageCache({
      directory: join(root, 'images'),
      clock: systemClock,
      journal,
      origin: () => () => Promise.reject(new Error('nothing comes from there')),
    });
    const volumes = new WatchedVolumes(images, () => this.onRemoval());
    this.volumes = volumes;
    const arrivals = new Arrivals({
      ...{ clock: systemClock, directory: join(root, 'arrivals'), cache: images, volumes },
      variablesOf: (id) => join(root, 'workloads', `${id}.variables.fd`),
      given: () => this.given,
    });
    this.workloads = new NodeWorkloads({
      clock,
      journal,
      launcher,
      assignments: {
        get workloads() {
          return node.given;
        },
        get given() {
          return judgeGiven([], { attachments: [], ports: node.ports }, node.management);
        },
        changes: this.#changes,
        // As of the real one: the state of a workload is a change, too.
        changed: () => this.#changes.emit(),
        isComplete: true,
        get isFromHost0() {
          return node.isConfirmed;
        },
      },
      run: root,
      directories: { machines: join(root, 'run/vm'), pxen: join(root, 'pxen'), logs: join(root, 'logs') },
      state: join(root, 'workloads'),
      volumeDirectory: root,
      volumes,
      arrivals,
      user: { uid: 65534, gid: 65534 },
      listenerOf: unixListener,
      wasKilledForMemory,
      graceSec: 60,
    });
    const fold = new PartFold();
    this.#reconciler = new Reconciler({
      kernel,
      services: this.#services,
      clock: systemClock,
      journal,
      desire: () => {
        fold.update(this.workloads.services.map(servicePart));
        return { items: fold.items, changed: fold.takeChanges(), mayDelete: () => true, recorded: () => [] };
      },
      onLastingFailure: () => undefined,
    });
    this.#reconciler.passes.subscribe(({ outcomes }) => {
      // A pass between the end of an emulator and the judgement of that end plans a start, which is refused.
      const done = outcomes.filter(({ error }) => error === undefined);
      this.steps.push(...done.map(({ step }) => printStep(step)));
    });
    this.workloads.serve({
      portState: () => ({ state: 'plugged' }),
      mtuOf: () => 1_380,
      takeUp: () => void this.#reconciler.wake(),
    });
  }

  static async start(...given: readonly AssignedWorkload[]): Promise<Node> {
    const node = new Node(await SystemKernel.open(() => undefined, { netns }), given);
    onTestFinished(() => node.end());
    await node.workloads.start();
    await node.#reconciler.start();
    return node;
  }

  give(...given: readonly AssignedWorkload[]): void {
    this.given = given;
    this.#changes.emit();
  }

  /** Waits until the workload is in a state. */
  async until(state: WorkloadRun['state'], more: Partial<WorkloadRun> = {}): Promise<WorkloadRun> {
    return await vi.waitFor(() => {
      const run = this.workloads.runs().find(({ id }) => id === ID);
      expect(run).toMatchObject({ state, ...more });
      if (run === undefined) throw new Error('there is no such workload');
      return run;
    }, WAIT);
  }

  /** The agent is gone, and its emulators are not. */
  async crash(): Promise<void> {
    this.#crashed = true;
    await this.#reconciler.close();
    await this.workloads.release();
    await this.#services.release();
    await this.#kernel.close();
  }

  async end(): Promise<void> {
    if (this.#crashed) return;
    this.give();
    await vi.waitFor(() => expect(this.#services.launcher.present()).toEqual([]), WAIT);
    await vi.waitFor(() => expect(readdirSync(join(root, 'workloads'))).toEqual([]), WAIT);
    await this.crash();
  }
}

function pidOf({ pid = 0 }: WorkloadRun): number {
  expect(pid).toBeGreaterThan(0);
  return pid;
}

test('a workload runs, is adopted by the next agent with its process, is paused and stopped, and leaves nothing', async () => {
  const volumes = [{ id: 'data', type: 'qcow2', path: 'web.qcow2', sizeBytes: 4 * MIB }] as const;
  const withDisk = (of: Partial<AssignedWorkload>) => assigned({ volumes }, of);
  const first = await Node.start(withDisk({}));
  const pid = pidOf(await first.until('running', { accelerator: 'tcg', cpuMode: 'max', restarts: 0 }));
  expect(first.steps).toEqual([`start the emulator of web`]);
  expect(first.workloads.runs()[0]?.acceleratorWhy).toContain('KVM');
  const directory = join(root, 'run/vm', ID);
  expect(statSync(directory)).toMatchObject({ uid: 65534, mode: 0o40700 });
  expect(existsSync(join(root, 'pxen', web.uuid, 'monitor.sock'))).toBe(true);
  await first.crash();

  const second = await Node.start(withDisk({}));
  expect(pidOf(await second.until('running'))).toBe(pid);
  expect(second.steps).toEqual([]);
  second.give(withDisk({ wanted: 'paused' }));
  expect(pidOf(await second.until('paused'))).toBe(pid);
  second.give(withDisk({}));
  await second.until('running');
  // A person at the second monitor.
  const operator = await QmpClient.connect(join(directory, 'monitor.sock'), systemClock);
  await operator.execute('stop');
  await second.until('paused');
  await operator.execute('cont');
  await second.until('running');
  operator.close();
  const mark = findMark(pid);
  // Another generation is another process.
  second.give(withDisk({ generation: 2, wanted: 'paused' }));
  await vi.waitFor(() => expect(second.workloads.runs()[0]?.state).toBe('stopping'), WAIT);
  await operatorQuit(directory);
  const next = await second.until('paused', { generation: 2, restarts: 0 });
  expect(pidOf(next)).not.toBe(pid);
  expect(mark && isRunning(mark)).toBe(false);

  expect(existsSync(join(root, 'web.qcow2'))).toBe(true);
  second.give();
  await vi.waitFor(() => expect(readdirSync(join(root, 'workloads'))).toEqual([]), WAIT);
  expect(readdirSync(join(root, 'run/vm'))).toEqual([]);
  expect(existsSync(join(root, 'web.qcow2'))).toBe(false);
  expect(readdirSync(join(root, 'pxen'))).toEqual([]);
  expect(readdirSync(join(root, 'logs/workloads'))).toEqual([]);
}, 240_000);

/** A guest that does not switch itself off is ended at the second monitor, so that the test does not wait for its grace. */
async function operatorQuit(directory: string): Promise<void> {
  const client = await QmpClient.connect(join(directory, 'monitor.sock'), systemClock);
  await client.execute('quit').catch(() => undefined);
  client.close();
}

test('root writes nothing through what the user of emulators has put into the directory of an emulator', async () => {
  const directory = join(root, 'run/vm', ID);
  const victim = join(root, 'victim');
  writeFileSync(victim, 'mine'.repeat(MIB));
  mkdirSync(join(directory, 'qmp.sock/deep'), { recursive: true });
  for (const name of ['console.log', 'pid', 'qmp.sock/deep/link']) symlinkSync(victim, join(directory, name));
  const node = await Node.start(assigned());
  await node.until('running');
  expect(readdirSync(directory).toSorted()).toEqual(['console.sock', 'monitor.sock', 'qmp.sock']);
  expect(statSync(join(root, 'run/vm', `${ID}.pid`))).toMatchObject({ uid: 0, mode: 0o100600 });
  expect(statSync(join(root, 'run/vm'))).toMatchObject({ uid: 0, mode: 0o40700 });
  expect(statSync(join(root, 'logs/workloads'))).toMatchObject({ uid: 0, mode: 0o40750 });
  expect(statSync(join(root, 'logs/workloads', `${ID}.console.log`)).uid).toBe(0);
  symlinkSync(victim, join(directory, 'console.log'));
  node.give();
  await vi.waitFor(() => expect(readdirSync(join(root, 'run/vm'))).toEqual([]), WAIT);
  expect(statSync(victim).size).toBe(4 * MIB);
}, 120_000);

test('a guest that is switching itself off keeps its time when the agent restarts', async () => {
  const first = await Node.start(assigned());
  const pid = pidOf(await first.until('running'));
  first.give(assigned({}, { wanted: 'stopped' }));
  await first.until('stopping');
  await first.crash();
  const second = await Node.start(assigned({}, { wanted: 'stopped' }));
  expect(pidOf(await second.until('stopping'))).toBe(pid);
  const directory = join(root, 'run/vm', ID);
  const operator = await QmpClient.connect(join(directory, 'monitor.sock'), systemClock);
  const events: string[] = [];
  operator.events.subscribe(({ event }) => events.push(event));
  // The second agent presses the power button, too.
  await vi.waitFor(() => expect(events).toContain('POWERDOWN'), WAIT);
  operator.close();
  await operatorQuit(directory);
  expect(await second.until('stopped', { why: 'the guest has switched itself off' })).not.toHaveProperty('pid');
}, 120_000);

test('a port that the node refuses is the failure of its workload', async () => {
  const node = await Node.start();
  const blue = meshNumber(1);
  node.ports = [{ id: '1f', network: blue.id, link: 'v1f', mac: parseMac('02:00:00:00:00:1f') }];
  node.management = blue.id;
  node.give(assigned({ networks: web.networks }, { ports: { lan: '1f' } }));
  const { error } = await node.until('failed');
  expect(error).toMatchObject({ code: 'MESH_PORT_UNFIT', object: 'v1f' });
  node.give(assigned({}, { generation: 2 }));
  await node.until('running', { generation: 2 });
}, 60_000);

test('what keeps a later generation from starting is told of that generation', async () => {
  const node = await Node.start(assigned());
  await node.until('running', { generation: 1 });
  node.give(assigned({ volumes: [{ id: 'root', type: 'qcow2', path: 'none.qcow2' }] }, { generation: 2 }));
  await node.until('stopping', { generation: 2 });
  await operatorQuit(join(root, 'run/vm', ID));
  const { error } = await node.until('failed', { generation: 2 });
  expect(error?.code).toBe('MESH_VOLUME_REFUSED');
  node.give(assigned({}, { generation: 3 }));
  // At once: the failure is not that of the third generation.
  const [next] = node.workloads.runs();
  expect(next).toMatchObject({ state: 'preparing', generation: 3 });
  expect(next).not.toHaveProperty('error');
  await node.until('running', { generation: 3 });
}, 120_000);

test('a workload that is given again while its files are being removed starts anew, and keeps what is new', async () => {
  const volumes = [{ id: 'data', type: 'qcow2', path: 'web.qcow2', sizeBytes: 4 * MIB }] as const;
  const wanted = assigned({ volumes }, { arrived: 'first' });
  const node = await Node.start(wanted);
  const pid = pidOf(await node.until('running'));
  const before = findMark(pid);
  // It moves away and back again: the copy by which it comes is there before host0 gives it.
  for (const word of ['first', 'second']) mkdirSync(join(root, 'arrivals', `${ID}.${word}`), { recursive: true });
  let seen: { readonly runs: readonly WorkloadRun[]; readonly wasAlive: boolean } | undefined;
  node.onRemoval = () => {
    node.onRemoval = () => undefined;
    node.give({ ...wanted, arrived: 'second' });
    seen = { runs: node.workloads.runs(), wasAlive: before !== undefined && isRunning(before) };
  };
  node.give();
  const again = await node.until('running');
  // Neither before its emulator has ended, nor before its files are gone.
  expect(seen).toEqual({ runs: [], wasAlive: false });
  expect(pidOf(again)).not.toBe(pid);
  expect(readdirSync(join(root, 'workloads'))).toEqual([`${ID}.run.json`]);
  expect(existsSync(join(root, 'run/vm', ID, 'monitor.sock'))).toBe(true);
  expect(readdirSync(join(root, 'arrivals'))).toEqual([`${ID}.second`]);
}, 120_000);

test('a killed emulator starts again by its policy, also when the agent was away', async () => {
  const node = await Node.start(assigned());
  const pid = pidOf(await node.until('running'));
  process.kill(pid, 'SIGKILL');
  const again = await node.until('running', { restarts: 1 });
  expect(pidOf(again)).not.toBe(pid);
  await node.crash();
  const mark = findMark(pidOf(again));
  process.kill(pidOf(again), 'SIGKILL');
  await vi.waitFor(() => expect(mark && isRunning(mark)).toBe(false), WAIT);
  const next = await Node.start(assigned());
  await next.until('running', { restarts: 2 });
  // Never: the same end is a failure that stays.
  next.give(assigned({ restart: 'never' }, { generation: 2 }));
  await operatorQuit(join(root, 'run/vm', ID));
  const last = await next.until('running', { generation: 2, restarts: 0 });
  process.kill(pidOf(last), 'SIGKILL');
  const failed = await next.until('failed');
  expect(failed.error).toMatchObject({ code: 'MESH_WORKLOAD_KILLED', message: expect.stringContaining('SIGKILL') });
  expect(next.workloads.health()).toMatchObject([{ code: 'MESH_WORKLOAD_KILLED', object: 'web' }]);
  await next.crash();
  const third = await Node.start(assigned({ restart: 'never' }, { generation: 2 }));
  await third.until('failed', { generation: 2 });
  expect(third.steps).toEqual([]);
}, 240_000);

test('a guest that panics with the policy never has failed', async () => {
  const node = await Node.start(assigned({ ...booting({ end: ['panic'] }), restart: 'never' }));
  const { error, pid } = await node.until('failed');
  expect({ code: error?.code, pid }).toEqual({ code: 'MESH_WORKLOAD_PANICKED', pid: undefined });
  expect(node.steps.filter((step) => step.startsWith('start'))).toHaveLength(1);
}, 180_000);

test('after a reboot a workload waits until host0 says that it is still on the node', async () => {
  const before = await Node.start(assigned());
  const pid = pidOf(await before.until('running'));
  await before.crash();
  process.kill(pid, 'SIGKILL');
  const [name = ''] = readdirSync(join(root, 'workloads'));
  const file = join(root, 'workloads', name);
  const record: unknown = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...Object(record), boot: '00000000-0000-4000-8000-000000000000' }));

  const after = await Node.start();
  after.isConfirmed = false;
  after.give(assigned());
  await after.until('preparing', { why: 'host0 has to say that the workload is still on this node' });
  after.isConfirmed = true;
  after.give(...after.given);
  await after.until('running');
}, 240_000);

test('a guest on a tap switches itself off when that is wanted', async () => {
  makeTap('v1f', { netns });
  const held = openTap('v1f', { netns });
  const blue = meshNumber(1);
  const node = await Node.start();
  node.ports = [{ id: '1f', network: blue.id, link: 'v1f', mac: parseMac('02:00:00:00:00:1f') }];
  const more = { ports: { lan: '1f' } };
  const wanted = assigned({ ...booting({}), networks: web.networks }, more);
  node.give(wanted);
  const refused = await node.until('failed');
  expect(refused.error).toMatchObject({ code: 'MESH_WORKLOAD_PORT', message: expect.stringContaining('EBUSY') });
  closeSync(held);
  await node.until('running');
  const log = join(root, 'logs/workloads', `${ID}.console.log`);
  await vi.waitFor(() => expect(readFileSync(log, 'latin1')).toContain('guest: ready web'), WAIT);
  expect(readFileSync(log, 'latin1')).toContain('eth0 02:00:00:00:00:1f mtu 1380');
  node.give({ ...wanted, wanted: 'stopped' });
  await node.until('stopped', { why: 'the guest has switched itself off' });
}, 240_000);

test.each([
  [
    'a volume that is not there',
    { volumes: [{ id: 'root', type: 'qcow2', path: 'none.qcow2' }] },
    'MESH_VOLUME_REFUSED',
  ],
  ['more memory than there is', { memoryBytes: 1024 * 1024 * MIB }, 'MESH_WORKLOAD_MEMORY'],
  ['a CPU model that does not exist', { cpu: { threads: 1, mode: 'Nonsense' } }, 'MESH_QEMU_REFUSED'],
  ['a kernel that is not there', { boot: { kernel: '/no/kernel' } }, 'MESH_QEMU_REFUSED'],
] as const)(
  '%s is a failure with its remedy, and starts when it is put right',
  async (_, more, code) => {
    const node = await Node.start(assigned(more));
    const { error } = await node.until('failed');
    expect(error?.code).toBe(code);
    expect(error?.remedy).toBeDefined();
    expect(node.steps.filter((step) => step.startsWith('start')).length).toBeLessThanOrEqual(1);
    node.give(assigned({}, { generation: 2 }));
    await node.until('running', { generation: 2 });
  },
  120_000,
);

test('what has failed is tried again after two seconds, whatever else happens on the node meanwhile', async () => {
  const manual = new ManualClock();
  clock = manual;
  const node = await Node.start(assigned({ volumes: [{ id: 'root', type: 'qcow2', path: 'none.qcow2' }] }));
  await node.until('failed');
  // A change that came meanwhile may be looked at once.
  const { requests } = node.volumes;
  expect(requests).toBeLessThanOrEqual(2);
  for (let turn = 0; turn < 20; turn++) {
    node.give(...node.given);
    await new Promise(setImmediate);
  }
  await node.until('failed');
  expect(node.volumes.requests).toBeLessThanOrEqual(requests + 1);
  const before = node.volumes.requests;
  await manual.pass(2_000);
  await vi.waitFor(() => expect(node.volumes.requests).toBeGreaterThan(before), WAIT);
  await node.crash();
}, 60_000);

test('a guest that the kernel kills for its memory says so', async () => {
  const node = await Node.start(assigned({ restart: 'never', ...booting({}) }));
  const pid = pidOf(await node.until('running'));
  using group = new MemoryGroup(16 * MIB);
  group.take(pid);
  const { error } = await node.until('failed');
  expect(error).toMatchObject({ code: 'MESH_WORKLOAD_MEMORY', remedy: expect.stringContaining('memory') });
}, 180_000);

test('a guest that fills the disk of its volume is paused, and goes on when there is room', async () => {
  const disk = new SmallDisk(join(root, 'small'), 160 * MIB);
  disk.mount();
  onTestFinished(() => disk.unmount());
  const path = join(root, 'small/disk.qcow2');
  await thinVolume({ path, sizeBytes: 256 * MIB });
  disk.fill(24 * MIB);
  const volumes = [{ id: 'data', type: 'qcow2', path }] as const;
  const node = await Node.start(assigned({ volumes, ...booting({ end: ['fill'] }) }));
  const full = await node.until('disk-full');
  expect(full.error).toMatchObject({ code: 'MESH_WORKLOAD_DISK_FULL' });
  // That disk is in memory: the guest has written all that was free, and may write as much as its disk has.
  expect(full.volumeDemandBytes).toBe(256 * MIB);
  expect(full.volumeMemoryBytes).toBeGreaterThan(16 * MIB);
  expect(full.volumeMemoryBytes).toBeLessThan(32 * MIB);
  disk.clear();
  const pid = pidOf(full);
  expect(pidOf(await node.until('running'))).toBe(pid);
  const log = join(root, 'logs/workloads', `${ID}.console.log`);
  await vi.waitFor(() => expect(readFileSync(log, 'latin1')).toContain('guest: has filled its disk'), WAIT);
}, 240_000);

test('a guest reads its seed: who it is, its keys and its user data; when it switches itself off, it has ended', async () => {
  const cloud = {
    hostName: 'web-1',
    keys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 a'],
    userData: `#cloud-config\n${'#'.repeat(2_000)}`,
  };
  const node = await Node.start(assigned({ cloud, ...booting({ end: ['seed', 'poweroff'] }), restart: 'on-failure' }));
  const log = join(root, 'logs/workloads', `${ID}.console.log`);
  const said = () => readFileSync(log, 'latin1').replaceAll('\r', '');
  const { error, pid } = await node.until('ended');
  expect({ error, pid }).toEqual({ error: undefined, pid: undefined });
  expect(node.steps.filter((step) => step.startsWith('start'))).toHaveLength(1);
  expect(said()).toContain(`guest: /seed/user-data: ${cloud.userData}`);
  expect(said()).toContain(
    `guest: /seed/meta-data: {"instance-id":"${ID}","local-hostname":"web-1","public-keys":["${cloud.keys[0]}"]}`,
  );
}, 180_000);

test('a node whose emulator is installed while the agent runs tells host0 of it', async () => {
  const manual = new ManualClock();
  clock = manual;
  const { PATH } = process.env;
  vi.stubEnv('PATH', root);
  onTestFinished(() => void vi.unstubAllEnvs());
  const node = await Node.start();
  await vi.waitFor(() => expect(node.workloads.capacity()).toMatchObject({ accelerator: 'none' }), WAIT);
  await manual.pass(60_000);
  expect(node.workloads.capacity()).toMatchObject({ accelerator: 'none' });
  vi.stubEnv('PATH', PATH);
  await manual.pass(30_000);
  await vi.waitFor(() => expect(node.workloads.capacity()).not.toMatchObject({ accelerator: 'none' }), WAIT);
  await node.crash();
}, 60_000);

test('the emulator is asked with the first guest, once in a boot: a node without guests starts no QEMU and opens no image cache', async () => {
  const calls = join(root, 'calls');
  const { PATH = '' } = process.env;
  const real = findProgram(QEMU);
  writeFileSync(calls, '');
  mkdirSync(join(root, 'bin'));
  writeFileSync(join(root, 'bin', QEMU), `#!/bin/sh\necho "$*" >>${calls}\nexec ${real} "$@"\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${join(root, 'bin')}:${PATH}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  const asked = () =>
    readFileSync(calls, 'utf8')
      .split('\n')
      .filter((line) => line.includes('-cpu help'));
  const node = await Node.start();
  await vi.waitFor(() => expect(node.workloads.capacity()).toMatchObject({ accelerator: 'tcg' }), WAIT);
  expect(node.workloads.capacity()?.why).toMatch(/dev\/kvm|KVM/);
  expect(await node.workloads.means()).toBeUndefined();
  expect([readFileSync(calls, 'utf8'), existsSync(join(root, 'images'))]).toEqual(['', false]);
  node.give(assigned());
  await node.until('running');
  const means = await node.workloads.means();
  expect(means?.emulator.cpuModes).toContain('max');
  expect(means?.openBytes).toBeGreaterThan(0);
  expect(node.workloads.capacity()?.cpuModes).toContain('max');
  expect(asked()).toHaveLength(1);
  await node.crash();
  const next = await Node.start(assigned());
  await next.until('running');
  next.give();
  next.give(assigned({}, { generation: 2 }));
  await next.until('running', { generation: 2 });
  expect(next.workloads.capacity()?.cpuModes).toContain('max');
  expect(asked()).toHaveLength(1);
}, 180_000);
