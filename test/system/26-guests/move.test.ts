/** Virtual machines that go to other nodes, fail, and are typed from the page about them, in one lab of two nodes. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { thinVolume } from '../../../src/agent/images/qemu-img.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { MeshError } from '../../../src/model/error.ts';
import type { Workload } from '../../../src/model/workload/workload.ts';
import { agentClient, host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { WorkloadView } from '../../../src/protocol/documents/workload/workload-view.ts';
import { shownCommands } from '../../cli/console-block.ts';
import { RfbViewer } from '../../kit/rfb-viewer.ts';
import { guestCommandLine, smallGuest } from '../../kit/small-guest/small-guest.ts';
import { workloadNamed } from '../../kit/workloads.ts';
import { forAllTests } from '../for-all-tests.ts';
import { pageOf, Typist } from '../typist.ts';
import { until } from '../until.ts';
import { emulatorsOn, guestLinks } from './guest-pair.ts';
import { BROKEN, type FaultBench, RUNTIME_FAULTS, type RuntimeFault } from './runtime-faults.ts';
import { TypedConsole } from './typed-console.ts';

/** An emulator without a guest starts in a second; the disks have some hundred kilobytes. */
const DONE_MS = 40_000;
const MIB = 1024 * 1024;

const shared = forAllTests();
let lab: Lab;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `move-${process.pid}`, nodes: 2, segments: 1 }));
  for (const node of ['node1', 'node2']) await until(`${node} has a channel`, DONE_MS, () => takesWorkloads(node));
}, 300_000);

/** Whether host0 would start a workload there. Members ping each other a moment before each has its channel. */
function takesWorkloads(node: string): Promise<boolean> {
  const workload = workloadNamed('first', { memoryBytes: 64 * MIB, networks: [], volumes: [], place: { kind: 'any' } });
  const order = { path: { name: 'first' }, query: { 'dry-run': true }, body: { node, workload } };
  return client()
    .ask('POST /v1/workloads/{name}/start', order)
    .then(
      () => true,
      () => false,
    );
}

const client = () => host0Client(pathsBelow(lab.host('host0').root));
const path = { name: 'box' };
const is = (state: WorkloadView['state'], node: string) =>
  until(`box is ${state} on ${node}`, DONE_MS, async () => {
    const now = await client().ask('GET /v1/workloads/{name}', { path });
    return now.state === state && now.node === node;
  });
/** A guest that is held still is not asked to switch itself off. */
async function started(node: string): Promise<void> {
  await client().ask('POST /v1/workloads/{name}/start', { path, body: {} });
  await is('running', node);
  await client().ask('POST /v1/workloads/{name}/pause', { path });
  await is('paused', node);
}
async function stopped(node: string): Promise<void> {
  await client().ask('POST /v1/workloads/{name}/stop', { path });
  await is('stopped', node);
}
const moves = (node: string) => client().ask('POST /v1/workloads/{name}/move', { path, body: { node, force: false } });
const disk = ({ root }: LabHost) => join(pathsBelow(root).volumes, 'box.qcow2');
const qemuIo = (host: LabHost, command: string) =>
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', command, disk(host)], { encoding: 'utf8' });

test('its disk goes with a workload, from a node to another and to host0, with what was written and the image below', async () => {
  const [host0, one, two] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  const isos = join(pathsBelow(host0.root).host0, 'isos');
  mkdirSync(isos, { recursive: true });
  writeFileSync(join(isos, 'box.img'), Buffer.alloc(MIB, 'an image\0'));
  const box = workloadNamed('box', {
    ...{ memoryBytes: 64 * MIB, networks: [], place: { kind: 'node', node: 'node1' } },
    volumes: [{ id: 'root', type: 'qcow2', path: 'box.qcow2', source: 'isos/box.img' }],
  });
  await client().ask('PUT /v1/workloads', { body: box });
  await started('node1');
  await stopped('node1');
  qemuIo(one, 'write -P 170 100k 200k');
  await started('node1');
  await moves('node2');
  await is('paused', 'node2');
  await until('node1 has removed its disk', DONE_MS, async () => !existsSync(disk(one)));
  // One that is stopped goes as it is, and on from a node where it was not started.
  await stopped('node2');
  await moves('host0');
  await is('stopped', 'host0');
  await moves('node1');
  await is('stopped', 'node1');
  await started('node1');
  await stopped('node1');
  expect(qemuIo(one, 'read -P 170 100k 200k')).not.toContain('failed');
  await until('only node1 has a disk', DONE_MS, async () => ![two, host0].some((host) => existsSync(disk(host))));
  const arrivals = ({ root }: LabHost) => readdirSync(join(pathsBelow(root).volumes, '../arrivals'));
  expect([one, two, host0].map(arrivals)).toEqual([[], [], []]);
}, 240_000);

/** The broken workload, on the node of the faults. */
const bench: FaultBench = {
  get lab() {
    return lab;
  },
  node: 'node2',
  start: (more = {}, isDry = false) => {
    const { name = BROKEN } = more;
    return client().ask('POST /v1/workloads/{name}/start', {
      path: { name },
      query: { 'dry-run': isDry },
      body: { node: 'node2', workload: broken(more) },
    });
  },
  stop: async () => {
    await client().ask('POST /v1/workloads/{name}/pause', { path: { name: BROKEN } });
    await bench.hasState('paused');
    await client().ask('POST /v1/workloads/{name}/stop', { path: { name: BROKEN } });
  },
  hasState: (state) =>
    until(`${BROKEN} is ${state}`, DONE_MS, async () => {
      const now = await client().ask('GET /v1/workloads/{name}', { path: { name: BROKEN } });
      return now.state === state && now;
    }),
};
const broken = (more: Partial<Workload>) =>
  workloadNamed(BROKEN, { memoryBytes: 64 * MIB, networks: [], volumes: [], place: { kind: 'any' }, ...more });

/** What is there of guests: on each host, and in host0's store. */
async function belongings(): Promise<unknown> {
  const hosts = lab.hosts.map((host) => {
    const { run, state, volumes, images } = pathsBelow(host.root);
    const directories = [join(run, 'vm'), join(host.root, 'run/pxen'), join(state, 'workloads'), volumes, images];
    const files = [...directories, join(volumes, '../arrivals')].flatMap((directory) =>
      existsSync(directory)
        ? readdirSync(directory, { recursive: true })
            .map(String)
            .filter((name) => !['parts', 'uses'].includes(name))
            .toSorted()
        : [],
    );
    return { links: guestLinks(host), emulators: emulatorsOn(host), files };
  });
  const workloads = await client().ask('GET /v1/workloads');
  const ports = await client().ask('GET /v1/ports');
  return { hosts, workloads: workloads.map(({ name }) => name), ports: ports.map(({ id }) => id) };
}

/** The error that the administrator sees. */
async function errorOf({ from, workload, code }: RuntimeFault): Promise<unknown> {
  if (from === 'host0') {
    const refusal = async (isDry: boolean) =>
      MeshError.from(await bench.start(workload, isDry).catch((thrown: unknown) => thrown));
    // host0 hears of a lost channel a moment later.
    await until(`host0 refuses with ${code}`, DONE_MS, async () => (await refusal(true)).code === code);
    return (await refusal(false)).toJSON();
  }
  await bench.start(workload);
  if (from === 'node') return (await bench.hasState('failed')).error;
  const { run } = await bench.hasState('running');
  const { findings } = await agentClient(pathsBelow(lab.host(bench.node).root)).ask('GET /v1/doctor');
  const found = findings.find((finding) => finding.object === '/dev/kvm');
  // A machine with KVM has no such fault.
  if (run?.accelerator === 'kvm') expect(found).toBeUndefined();
  return run?.accelerator === 'kvm'
    ? { code, message: 'guests are emulated here', remedy: 'none' }
    : { ...found, message: found?.saw };
}

test('each of ten faults ends in its own error with a remedy, and leaves nothing half made', async () => {
  expect(new Set(RUNTIME_FAULTS.map(({ code }) => code)).size).toBe(10);
  for (const fault of RUNTIME_FAULTS) {
    const before = await belongings();
    const isAsBefore = () =>
      until(`${fault.what}: nothing is left`, DONE_MS, async () => isDeepStrictEqual(await belongings(), before));
    const putRight = await fault.arrange?.(bench);
    try {
      const error = await errorOf(fault);
      expect(error, fault.what).toMatchObject({
        code: fault.code,
        message:
          typeof fault.names === 'string' ? expect.stringContaining(fault.names) : expect.stringMatching(fault.names),
        remedy: expect.stringMatching(/./),
      });
      if (fault.from !== 'host0') {
        // Beyond the workload itself, and its port, there is nothing.
        const { volumes } = pathsBelow(lab.host(bench.node).root);
        expect([existsSync(join(volumes, 'broken.qcow2')), emulatorsOn(lab.host(bench.node)).length]).toEqual([
          false,
          fault.from === 'node' ? 0 : 1,
        ]);
        await client().ask('DELETE /v1/workloads/{name}', { path: { name: BROKEN }, query: { force: true } });
      }
      await isAsBefore().catch(async (cause) => {
        throw new Error(`${cause}: ${JSON.stringify([before, await belongings()])}`, { cause });
      });
    } finally {
      await putRight?.();
    }
  }
  await lab.ready({ deadlineMs: DONE_MS });
}, 400_000);

const PAGE = 'docs/workloads.md';

/** Types the commands of the page, each once, in the order of the test. */
class PageOfWorkloads implements Disposable {
  readonly #left = shownCommands(pageOf(PAGE));
  readonly #typist = new Typist(lab.name);

  /** The directory of the files that a reader would make. */
  get place(): string {
    return this.#typist.place;
  }

  /** The commands that were not typed. */
  get left(): readonly string[] {
    return this.#left.map(({ text }) => text);
  }

  /** A block of the page, from its first line on. */
  blockFrom(line: string): string {
    const [, block] = new RegExp(`\`\`\`text\n(${line}\n(?:.|\n)*?)\`\`\``).exec(pageOf(PAGE)) ?? [];
    if (block === undefined) throw new RangeError(`${PAGE} has no block with ${line}`);
    return block;
  }

  /** Takes the next command of the page that begins like this. */
  take(begin: string) {
    const at = this.#left.findIndex(({ text }) => text.startsWith(begin));
    const [command] = this.#left.splice(at < 0 ? this.#left.length : at, 1);
    if (command === undefined) throw new RangeError(`${PAGE} has no further command ${begin}`);
    return command;
  }

  /** Types the next command that begins like this: on host0, or, where it is one of `mesh lab`, on this machine. */
  async type(begin: string): Promise<void> {
    const command = this.take(begin);
    const isHere = / lab |\$PWD/.test(command.text) || command.text.includes('vm1.conf');
    const text = command.text.replaceAll(' /var/pxen/', ' $MESH_ROOT/var/pxen/');
    await this.#typist.type(PAGE, { ...command, text: `cd '${this.place}'; ${text}` }, isHere ? undefined : 'host0');
  }

  [Symbol.dispose](): void {
    this.#typist.close();
  }
}

test('the page about workloads, from its first command to two guests that ping each other', async () => {
  const guest = await smallGuest();
  using page = new PageOfWorkloads();
  const host0 = lab.host('host0');
  // One command.
  await thinVolume({ path: join(page.place, 'debian-12.qcow2'), sizeBytes: MIB });
  await lab.exec(host0, ['mesh', 'network', 'create', 'blue']);
  await page.type('mesh workload run');
  await page.type('mesh workload list');
  await lab.exec(host0, ['mesh', 'workload', 'delete', '-w', 'debian-12', '--force']);

  // A file.
  const monoliths = join(host0.root, 'var/pxen/monoliths');
  mkdirSync(monoliths, { recursive: true });
  writeFileSync(
    join(monoliths, 'web1.conf'),
    'name=web1\nuuid=uuid-web1\nplatform.memory.size=64M\nplatform.place=node1\n',
  );
  const web1 = { path: { name: 'web1' } };
  // A guest that is held still does not have to switch itself off.
  const heldStill = () => client().ask('POST /v1/workloads/{name}/pause', web1);
  for (const verb of ['check /var', 'start', 'pause', 'resume', 'restart']) await page.type(`mesh workload ${verb}`);
  await heldStill();
  for (const verb of ['stop', 'delete']) await page.type(`mesh workload ${verb}`);

  // The tutorial.
  expect(page.take('mesh lab up').text).toBe('mesh lab up --nodes 2 --segments 1 --keep');
  const append = guestCommandLine(guest, { name: 'vm' });
  for (const number of [1, 2]) {
    const file = page
      .blockFrom('name=vm1')
      .replaceAll('vm1', `vm${number}`)
      .replace('node1', `node${number}`)
      .replace('10.77.0.1', `10.77.0.${number}`)
      .replace('/boot/vmlinuz', guest.kernel)
      .replace('/boot/initrd.img', guest.initrd)
      .replace('console=ttyS0', append);
    writeFileSync(join(page.place, `vm${number}.conf`), file);
  }
  await page.type('mesh workload check');
  for (const verb of ['create', 'create', 'start', 'start', 'list']) {
    await page.type(`mesh lab exec host0 -- mesh workload ${verb}`);
  }
  const command = page.take('mesh lab exec host0 -- mesh workload console').text;
  for (const [name, begin, says] of [
    ['vm2', 'ip address add 10.77.0.2', ''],
    ['vm1', 'ip address add 10.77.0.1', '3 packets received'],
  ] as const) {
    using terminal = new TypedConsole(command.replace('vm2', name), page.place);
    await terminal.shows('guest: ready', DONE_MS);
    const typed = page.blockFrom(`${begin}/24 dev eth0`);
    terminal.type(`${typed.replaceAll('\n', '\r')}echo do$((0))ne\r`);
    await terminal.shows('do0ne', DONE_MS);
    await terminal.shows(says, DONE_MS);
    terminal.type('\x1d');
    expect(await terminal.end()).toBe(0);
  }

  await screenIsShown(page.take('mesh workload vnc').text, page);

  // The end of the tutorial.
  for (const _ of GUESTS_OF_PAGE) await page.type('mesh lab exec host0 -- mesh workload delete');
  expect(page.take('mesh lab down').text).toBe('mesh lab down');
  await until('no network is left on the nodes', DONE_MS, () => lab.hosts.flatMap(guestLinks).length === 0);

  // Moves.
  await lab.exec(host0, ['mesh', 'workload', 'start', '-w', 'web1']);
  await heldStill();
  for (const verb of ['move', 'move', 'move']) await page.type(`mesh workload ${verb}`);
  expect(page.left).toEqual([]);
}, 400_000);

const GUESTS_OF_PAGE = ['vm1', 'vm2'] as const;

/** A viewer on another machine, to which SSH would bring host0's control socket, has the screen over the channel of the node. */
async function screenIsShown(command: string, { place }: PageOfWorkloads): Promise<void> {
  using here = new TypedConsole(`mesh lab exec host0 -- ${command}`, place);
  await here.shows('The screen of vm1 on node1 waits for a viewer: vncviewer 127.0.0.1::', DONE_MS);
  here.type('\x03');
  expect(await here.end()).toBe(130);

  const root = join(place, 'box');
  const path = join(place, 'screen.sock');
  const { controlSock } = pathsBelow(root);
  mkdirSync(dirname(controlSock), { recursive: true });
  symlinkSync(pathsBelow(lab.host('host0').root).controlSock, controlSock);
  using there = new TypedConsole(
    `mesh lab exec node2 -- mesh --root ${root} ${command.replace('mesh ', '')} --socket ${path}`,
    place,
  );
  await there.shows('waits for a viewer', DONE_MS);
  const socket = connect(path);
  await once(socket, 'connect');
  const viewer = new RfbViewer(socket, (bytes) => socket.write(bytes));
  expect(await viewer.greet(false)).toMatchObject({ version: 'RFB 003.008', securityTypes: [1], name: 'QEMU (vm1)' });
  expect(await viewer.pixel()).toHaveLength(4);
  socket.end();
  expect(await there.end()).toBe(0);
}
