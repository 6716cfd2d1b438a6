/** Volumes on their way from one node to another: real disks, real channels over loopback. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ChannelHost, ChannelNode, EMPTY_STATUS } from '../../../test/kit/channel-pair.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { workload as web } from '../../../test/kit/workloads.ts';
import { SmallDisk } from '../../../test/system/small-disk.ts';
import { fileOrigin } from '../../agent/images/file-origin.ts';
import { ImageCache } from '../../agent/images/image-cache.ts';
import { sourceText } from '../../agent/images/image-source.ts';
import { Volumes } from '../../agent/images/volumes.ts';
import { Arrivals } from '../../agent/moves/arrivals.ts';
import { LeavingVolumes } from '../../agent/moves/leaving-volumes.ts';
import { systemClock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { type MachineId, parseMachineId } from '../../model/machine.ts';
import { routeServer } from '../../protocol/calls/route-server.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import { CHANNEL_ROUTES } from '../../protocol/routes/channel-routes.ts';
import { NODE_VOLUME_ROUTES } from '../../protocol/routes/workload/volume-routes.ts';
import type { AskedNode } from './assignment-push.ts';
import { type CopyProgress, copyVolumes, dropCopy } from './volume-copy.ts';

const ID = '1a2b3c4d';
const NAME = { workload: ID, word: '00000000000000a1' };
const MIB = 1024 * 1024;
/** More than one piece. */
const WRITTEN_BYTES = 1.5 * MIB;

/** A node with a channel, as far as volumes are concerned. */
class Node {
  readonly root: string;
  readonly machine: MachineId;
  readonly cache: ImageCache;
  readonly volumes: Volumes;
  readonly arrivals: Arrivals;
  readonly leaving: LeavingVolumes;
  isStopped = true;
  readonly #host: ChannelHost;

  constructor(host: ChannelHost, machine: string, prepare: (root: string) => void = () => undefined) {
    this.#host = host;
    this.machine = parseMachineId(machine);
    this.root = mkdtempSync(join(tmpdir(), 'mw-copy-'));
    onTestFinished(() => rmSync(this.root, { recursive: true }));
    const disks = join(this.root, 'disks');
    mkdirSync(disks);
    prepare(disks);
    this.cache = new ImageCache({
      directory: join(disks, 'images'),
      clock: systemClock,
      journal: { record: () => undefined },
      origin: (source) => fileOrigin(sourceText(source)),
      limitBytes: 1024 ** 3,
    });
    this.volumes = new Volumes(this.cache, join(disks, 'volumes'), '/');
    const { cache, volumes } = this;
    this.arrivals = new Arrivals({
      ...{ clock: systemClock, directory: join(disks, 'arrivals'), cache, volumes },
      variablesOf: () => this.variables,
      given: () => undefined,
    });
    this.leaving = new LeavingVolumes({
      volumes,
      variablesOf: () => this.variables,
      settle: (assigned) => this.arrivals.settle(assigned),
      stopped: () => {
        if (this.isStopped) return assigned(this);
        throw new MeshError('MESH_WORKLOAD_RUNS', 'web is not stopped on this node');
      },
    });
    const { leaving, arrivals } = this;
    onTestFinished(() => arrivals.close());
    const server = routeServer(
      { ...NODE_VOLUME_ROUTES, 'GET /status': CHANNEL_ROUTES['GET /status'] },
      {
        'GET /volumes': ({ query: { workload } }) => leaving.list(workload),
        'GET /volume': ({ query }, open) => leaving.send(query, open),
        'POST /arrivals': ({ body: { files, ...name } }) => arrivals.begin(name, files),
        'PUT /arrivals': ({ body: { base64, ...piece } }) => arrivals.put(piece, base64),
        'POST /arrivals/end': async ({ body: { sums, ...name } }) => {
          await arrivals.end(name, sums);
          return {};
        },
        'DELETE /arrivals': async ({ query }) => {
          await arrivals.drop(query);
          return {};
        },
        'GET /status': (_, open) => void open().write(`${JSON.stringify(EMPTY_STATUS)}\n`),
      },
      { onFault: (thrown) => Promise.reject(thrown) },
    );
    const psk = randomBytes(32);
    const identity = `${machine}.1`;
    host.keys.set(identity, psk);
    new ChannelNode(
      host.port,
      { identity, psk },
      { handler: (request, response) => server.answer(request, response, undefined) },
    );
  }

  get node(): AskedNode['node'] {
    return this.#host.channels.connectionOf(this.machine).node;
  }

  /** The names of all that has arrived and is not in its place. */
  get arrived(): readonly string[] {
    const directory = join(this.root, 'disks/arrivals');
    return existsSync(directory) ? readdirSync(directory, { recursive: true }).map(String) : [];
  }

  /** Where the firmware of the guest keeps its variables. */
  get variables(): string {
    return join(this.root, 'records/web.variables.fd');
  }

  pathOf(volume: string): string {
    return join(this.root, 'disks/volumes', volume);
  }
}

let source = '';

/** A workload with a disk over an image, and an empty one. */
function assigned({ root }: Pick<Node, 'root'>, more: Partial<AssignedWorkload> = {}): AssignedWorkload {
  source = join(root, 'image.raw');
  const volumes = [
    { id: 'root', type: 'qcow2', path: 'web/root.qcow2', source },
    { id: 'data', type: 'qcow2', path: 'data.qcow2', sizeBytes: 8 * MIB },
  ] as const;
  const workload = { ...web, volumes, networks: [], firmware: 'uefi' } as const;
  return { kind: 'vm', id: ID, generation: 1, workload, ports: {}, wanted: 'stopped', ...more };
}

/** Two nodes; the guest of the first one has written to both of its disks. */
async function pair(prepare?: (root: string) => void) {
  const host = await ChannelHost.open();
  const from = new Node(host, '10eff964');
  const to = new Node(host, '20eff964', prepare);
  for (const { machine } of [from, to])
    await expect.poll(() => host.channels.statusOf(machine), PATIENCE).toBeDefined();
  const { workload } = assigned(from);
  writeFileSync(source, Buffer.alloc(MIB, 'an image\0'));
  for (const volume of workload.volumes) await from.volumes.ensure(volume);
  const write = (volume: string, pattern: number, bytes = WRITTEN_BYTES) =>
    execFileSync('qemu-io', ['-f', 'qcow2', '-c', `write -P ${pattern} 64k ${bytes}`, from.pathOf(volume)]);
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 500k 300k', from.pathOf('web/root.qcow2')]);
  write('data.qcow2', 9);
  mkdirSync(dirname(from.variables));
  writeFileSync(from.variables, Buffer.alloc(540_672, 'what boots\0'));
  const copy = (
    more: { onProgress?: (progress: CopyProgress) => void; signal?: AbortSignal; from?: Node['node'] } = {},
  ) =>
    copyVolumes({
      name: NAME,
      from: from.node,
      to: to.node,
      clock: systemClock,
      onProgress: () => undefined,
      signal: new AbortController().signal,
      ...more,
    });
  return { from, to, workload, write, copy };
}

const isSame = (...files: readonly [string, string]) =>
  execFileSync('qemu-img', ['compare', '-f', 'qcow2', '-F', 'qcow2', ...files], { encoding: 'utf8' }).includes(
    'identical',
  );

/** Gives the workload to the second node, and sees that its disks are those of the first one. */
async function settles({ from, to, workload }: Pick<Awaited<ReturnType<typeof pair>>, 'from' | 'to' | 'workload'>) {
  await to.arrivals.settle({ ...assigned(from), arrived: NAME.word });
  for (const volume of workload.volumes) {
    const { path } = await to.volumes.ensure(volume);
    expect(isSame(from.pathOf(volume.path), path)).toBe(true);
  }
  expect(readFileSync(to.variables)).toEqual(readFileSync(from.variables));
  expect(to.arrived).toEqual([]);
  const { images } = await to.cache.view();
  expect(images).toMatchObject([{ volumes: [to.pathOf('web/root.qcow2')] }]);
}

test('disks and the image below arrive as they are, and get their places with the word of the copy alone', async () => {
  const { from, to, workload, copy } = await pair();
  const told: CopyProgress[] = [];

  await copy({ onProgress: (progress) => told.push(progress) });
  expect(told.at(-1)?.doneBytes).toBe(told[0]?.totalBytes);
  // What an order that was given up has left is no disk of a guest.
  await to.arrivals.settle({ ...assigned(from), arrived: '00000000000000b2' });
  await to.arrivals.settle(assigned(from));
  expect(existsSync(to.pathOf('data.qcow2'))).toBe(false);
  // The node may be asked again after its answer was lost.
  await copy();
  await settles({ from, to, workload });
});

test('a copy that is cut goes on where it stopped, also when the agent of the node was restarted', async () => {
  const { from, to, workload, copy } = await pair();
  const cut = new AbortController();
  const isHalf = ({ doneBytes, totalBytes }: CopyProgress) => doneBytes > totalBytes / 2;
  await expect(copy({ signal: cut.signal, onProgress: (done) => isHalf(done) && cut.abort() })).rejects.toThrow();
  const restarted = new Arrivals({
    clock: systemClock,
    directory: join(to.root, 'disks/arrivals'),
    cache: to.cache,
    volumes: to.volumes,
    variablesOf: () => to.variables,
    given: () => undefined,
  });
  const files = await from.leaving.list(ID);
  const have = await restarted.begin(NAME, files);
  expect(have.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(MIB);
  await restarted.close();
  await to.arrivals.close();
  const first: CopyProgress[] = [];
  await copy({ onProgress: (progress) => first.push(progress) });
  expect(first[0]?.doneBytes).toBeGreaterThan((first[0]?.totalBytes ?? 0) / 2);
  await settles({ from, to, workload });
});

test('a disk that changes while it is copied, a guest that runs and a byte that is wrong are no copies', async () => {
  const { from, to, workload, write, copy } = await pair();
  let isChanged = false;
  const change = ({ doneBytes, totalBytes }: CopyProgress) => {
    if (isChanged || doneBytes < totalBytes - MIB) return;
    isChanged = true;
    write('data.qcow2', 11, 65_536);
  };
  await expect(copy({ onProgress: change })).rejects.toMatchObject({ code: 'MESH_NODE_OFFLINE', retryable: true });
  from.isStopped = false;
  await expect(copy()).rejects.toMatchObject({ code: 'MESH_WORKLOAD_RUNS' });
  from.isStopped = true;
  const { node } = from;
  const wrong = Object.create(node) as typeof node;
  wrong.ask = node.ask.bind(node);
  wrong.lines = async function* (...asked: Parameters<typeof node.lines>) {
    for await (const line of node.lines(...asked)) {
      const { document } = line as { document?: { kind: string; base64: string } };
      if (document?.kind !== 'piece') yield line;
      else {
        const bytes = Buffer.from(document.base64, 'base64');
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
        yield { document: { ...document, base64: bytes.toString('base64') } };
      }
    }
  } as typeof node.lines;
  await expect(copy({ from: wrong })).rejects.toMatchObject({ code: 'MESH_DISK_IMAGE_HASH' });
  expect(existsSync(to.pathOf('data.qcow2'))).toBe(false);
  // Each try finds one wrong file.
  await copy().catch(() => copy());
  await settles({ from, to, workload });
});

test('a copy that is given up leaves nothing, half or whole', async () => {
  const { from, to, copy } = await pair();
  const cut = new AbortController();
  await expect(
    copy({ signal: cut.signal, onProgress: ({ doneBytes }) => doneBytes > MIB && cut.abort() }),
  ).rejects.toThrow();
  expect(to.arrived).not.toEqual([]);
  await dropCopy(to.node, NAME);
  expect(to.arrived).toEqual([]);
  await copy();
  await dropCopy(to.node, NAME);
  expect(to.arrived).toEqual([]);
  const [image] = (await to.cache.view()).images;
  expect(image?.volumes).toEqual([]);
  expect(await from.leaving.list(ID)).toHaveLength(4);
});

test('a node without room for the disks refuses them before a byte has come', async () => {
  const { to, copy } = await pair((directory) => {
    const disk = new SmallDisk(directory, 2 * MIB);
    disk.mount();
    onTestFinished(() => disk.unmount());
  });
  const refused = { code: 'MESH_DISK_REFUSED', message: expect.stringContaining('are free') };
  await expect(copy()).rejects.toMatchObject(refused);
  expect(to.arrived).toEqual([]);
});
