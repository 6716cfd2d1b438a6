/** What the commands about workloads ask host0, and what they print. */
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Answers, FakeDaemon } from '../../../test/cli/fake-daemon.ts';
import { commandLine, mesh } from '../../../test/cli/mesh.ts';
import { runOf, workloadNamed } from '../../../test/kit/workloads.ts';
import { openBelow } from '../../disk/published-file.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import type { WorkloadAnswer, WorkloadView } from '../../protocol/documents/workload/workload-view.ts';

const web: WorkloadView = {
  name: 'web',
  id: '1a2b3c4d',
  workload: workloadNamed('web'),
  wanted: 'running',
  generation: 1,
  state: 'running',
  ageSec: 61,
  node: 'node1',
  ports: [{ id: 'lan', network: 'blue', port: '1f', addresses: ['10.0.0.5/24'] }],
  run: runOf('1a2b3c4d', { accelerator: 'tcg', pid: 42 }),
};
const answered = (steps: readonly string[], dryRun = false): WorkloadAnswer => ({ workload: web, steps, dryRun });

async function host0(answers: Answers) {
  const root = await mkdtemp(join(tmpdir(), 'mesh-workload-'));
  const paths = pathsBelow(root);
  const daemon = new FakeDaemon(answers);
  await daemon.listen(paths.controlSock);
  onTestFinished(async () => {
    await daemon.close();
    await rm(root, { recursive: true });
  });
  const run = async (...words: string[]) => (await mesh(['--root', root, ...words])).stdout;
  return { root, paths, daemon, run };
}

const FILE = 'name=web\nuuid=uuid-web\nplatform.memory.size=1G\n';

test('the list has state, node and accelerator of each workload; info has all that is known', async () => {
  const { run } = await host0({ 'GET /v1/workloads': [web], 'GET /v1/workloads/web': web });
  expect(await run('workload', 'list')).toBe(
    'NAME  STATE    NODE    MEMORY  CPU          NETWORKS    AGE\n' +
      'web   running  node1  512 MiB  1, emulated  blue      1 min\n',
  );
  const info = await run('workload', 'info', '-w', 'web');
  expect(info).toContain('runs by   tcg: emulated, many times slower\n');
  expect(info).toContain('lan   blue     1f');
});

test('start takes the file of the workload from host0, and --plan shows the steps', async () => {
  const { run, paths, daemon } = await host0({
    'POST /v1/workloads/web/start?dry-run=1': answered(['tell node1 to start web'], true),
  });
  await mkdir(paths.workloads, { recursive: true });
  await writeFile(join(paths.workloads, 'web.conf'), FILE);
  expect(await run('workload', 'start', '-w', 'web', '-n', 'node1', '--plan')).toBe(
    'One step:\n  tell node1 to start web\n',
  );
  expect(JSON.parse(daemon.asked[0]?.body ?? '')).toMatchObject({ node: 'node1', workload: { uuid: 'uuid-web' } });
});

test('a workload that runs already is as wanted', async () => {
  const { run } = await host0({ 'POST /v1/workloads/web/start?dry-run=0': answered([]) });
  expect(await run('workload', 'start', '-w', 'web')).toBe('web is as wanted: running.\n');
});

test('check prints each fault with its line, and judges files together', async () => {
  const { root, paths } = await host0({});
  await mkdir(paths.workloads, { recursive: true });
  for (const [name, text] of [
    ['a', FILE],
    ['b', FILE],
    ['c', FILE.replace('1G', '1GB')],
  ] as const)
    await writeFile(join(paths.workloads, `${name}.conf`), text);
  const files = ['a', 'b', 'c'].map((name) => join(paths.workloads, `${name}.conf`));
  const { stdout, code } = await mesh(['--root', root, 'workload', 'check', ...files]);
  expect(code).toBe(1);
  expect(stdout).toContain('c.conf:3:22: error: platform.memory.size is "1GB" [MESH_WORKLOAD_INVALID]');
  expect(stdout).toContain('b.conf has the name of ');
  expect(stdout).toMatch(/a\.conf\s+ok\s+web/);
});

test('run makes a workload of an image, which is copied to host0 first', async () => {
  const { run, root, paths, daemon } = await host0({
    'GET /v1/workloads': [web],
    'POST /v1/workloads/web-2/start?dry-run=0': answered([]),
  });
  const image = join(root, 'web.qcow2');
  await writeFile(image, Buffer.alloc(1024));
  await run('workload', 'run', '--image', image, '--network', 'blue', '--memory', '2G', '--address', '10.0.0.6/24');
  expect(await readFile(join(paths.host0, 'isos/web.qcow2'))).toEqual(Buffer.alloc(1024));
  expect(await readdir(join(paths.host0, 'isos'))).toEqual(['web.qcow2']);
  expect(JSON.parse(daemon.asked[1]?.body ?? '').workload).toMatchObject({
    name: 'web-2',
    memoryBytes: 2 * 1024 ** 3,
    volumes: [{ type: 'qcow2', path: 'web-2.qcow2', source: 'isos/web.qcow2' }],
    networks: [{ network: 'blue', addresses: [{ address: '10.0.0.6', length: 24 }] }],
  });
});

test('run refuses what is no disk, or has the name of another image, before it copies a byte', async () => {
  const { root, paths, daemon } = await host0({ 'GET /v1/workloads': [] });
  const isos = join(paths.host0, 'isos');
  const refused = await commandLine(['--root', root, 'workload', 'run', '--image', '/etc/passwd']);
  expect(refused.stderr).toContain('MESH_DISK_IMAGE_UNFIT');
  expect(await readdir(isos).catch(() => [])).toEqual([]);
  await mkdir(isos, { recursive: true });
  await writeFile(join(isos, 'web.img'), Buffer.alloc(512));
  await writeFile(join(root, 'web.img'), Buffer.alloc(1024));
  const other = await commandLine(['--root', root, 'workload', 'run', '--image', join(root, 'web.img')]);
  expect(other.stderr).toContain('is another file');
  expect((await readFile(join(isos, 'web.img'))).length).toBe(512);
  expect(daemon.asked.filter(({ body }) => body !== '')).toEqual([]);
});

test('a copy that was killed is no file that nodes can fetch, and goes at the next run', async () => {
  const { run, root, paths } = await host0({
    'GET /v1/workloads': [],
    'POST /v1/workloads/web/start?dry-run=0': answered([]),
  });
  const isos = join(paths.host0, 'isos');
  const part = join(isos, 'web.img.0badcafe.part');
  await mkdir(isos, { recursive: true });
  await writeFile(part, Buffer.alloc(512));
  await utimes(part, 1, 1);
  await expect(openBelow(isos, 'web.img.0badcafe.part', 'root')).rejects.toMatchObject({
    code: 'MESH_BOOT_PATH_UNKNOWN',
  });
  await writeFile(join(root, 'web.img'), Buffer.alloc(1024));
  await run('workload', 'run', '--image', join(root, 'web.img'));
  expect(await readdir(isos)).toEqual(['web.img']);
});

test('without a network the guest joins main', async () => {
  const { run, daemon, paths } = await host0({
    'GET /v1/workloads': [],
    'POST /v1/workloads/cd/start?dry-run=1': answered([], true),
  });
  await mkdir(join(paths.host0, 'isos'), { recursive: true });
  await writeFile(join(paths.host0, 'isos/cd.iso'), Buffer.alloc(2048));
  await run('workload', 'run', '--image', 'isos/cd.iso', '--plan');
  expect(JSON.parse(daemon.asked[1]?.body ?? '').workload).toMatchObject({
    volumes: [{ type: 'iso', source: 'isos/cd.iso' }],
    networks: [{ network: 'main' }],
  });
});

test.each([
  [['web', 'node2']],
  [['-w', 'web', 'node2']],
  [['web', '-n', 'node2']],
])('move takes names and options: %j', async (words) => {
  const { run, daemon } = await host0({
    'GET /v1/workloads/web': web,
    'POST /v1/workloads/web/move?dry-run=1': answered(['tell node1 to stop web'], true),
  });
  expect(await run('workload', 'move', ...words, '--plan')).toContain('tell node1 to stop web');
  expect(JSON.parse(daemon.asked[1]?.body ?? '')).toMatchObject({ node: 'node2' });
});

test.each([
  [['web'], 'no node'],
  [['-w', 'web', '-n', 'node2', 'node3'], 'a word too many: node3'],
])('move refuses %j', async (words, fault) => {
  const { root } = await host0({});
  const { stderr, code } = await commandLine(['--root', root, 'workload', 'move', ...words]);
  expect(code).toBe(2);
  expect(stderr).toContain(fault);
});

test('the list says why a workload starts, is paused, or has not moved yet', async () => {
  const why = 'a reason';
  const states = ['starting', 'paused', 'moving'] as const;
  const views = states.map((state) => ({ ...web, state, why, ...(state === 'moving' && { movesTo: 'node2' }) }));
  const { run } = await host0({ 'GET /v1/workloads': views });
  const list = await run('workload', 'list');
  for (const text of ['starting: a reason', 'paused: a reason', 'moves to node2: a reason'])
    expect(list).toContain(text);
});

test('a move that loses disks, or leaves a node that may run, asks first', async () => {
  const { root } = await host0({ 'GET /v1/workloads/web': { ...web, state: 'lost' } });
  const line = ['--root', root, 'workload', 'move', '-w', 'web', '-n', 'node2', '--force'];
  const { stderr, code } = await commandLine(line);
  expect(code).toBe(2);
  expect(stderr).toContain('is node1 off?');
  expect(stderr).toContain('mesh workload move -w web -n node2 --force --yes');
});

const follow = 'GET /v1/workloads/web/follow';

test.each([
  [
    'ended',
    'start',
    { state: 'ended', why: 'the guest has switched itself off' },
    'the guest of web has ended: the guest has switched',
  ],
  ['was stopped', 'start', { state: 'stopped', wanted: 'stopped' }, 'web was stopped by another command'],
  ['ended', 'pause', { state: 'ended' }, 'the guest of web has ended'],
] as const)('the wait ends when the guest %s meanwhile: %s', async (_what, verb, end, message) => {
  const { root } = await host0({
    [`POST /v1/workloads/web/${verb}?dry-run=0`]: {
      ...answered([`tell node1 to ${verb} web`]),
      workload: { ...web, state: 'starting' },
    },
    [follow]: [
      { ...web, state: 'starting' },
      { ...web, ...end },
    ],
  });
  await expect(mesh(['--root', root, 'workload', verb, '-w', 'web'])).rejects.toMatchObject({
    code: 'MESH_WORKLOAD_FAILED',
    message: expect.stringContaining(message),
    remedy: expect.stringContaining('mesh workload log -w web'),
  });
});

test('a workload that moves waits while its disks are copied, and is done where it runs', async () => {
  const moving = { ...web, state: 'moving', movesTo: 'node2' } as const;
  const { root } = await host0({
    'GET /v1/workloads/web': web,
    'POST /v1/workloads/web/move?dry-run=0': { ...answered(['tell node1 to stop web']), workload: moving },
    [follow]: [
      { ...moving, why: 'its disks are copied: 40 %' },
      { ...web, node: 'node2' },
    ],
  });
  const { stdout } = await mesh(['--root', root, 'workload', 'move', 'web', 'node2']);
  expect(stdout).toContain('web is running on node2.');
});

test('an image is fetched to all nodes that answer, unless one is named', async () => {
  const cache = { images: [], usedBytes: 0, limitBytes: 1, isInMemory: false };
  const sha256 = 'a'.repeat(64);
  const image = {
    sha256,
    sources: ['isos/a.img'],
    sizeBytes: 512,
    format: 'raw',
    diskBytes: 512,
    volumes: [],
    usedSecAgo: 0,
  };
  const away = { node: 'node2', error: { code: 'MESH_CHANNEL_DOWN', message: 'it is away' } };
  const { run, daemon } = await host0({
    'GET /v1/disk-images': [{ node: 'node1', cache }, away, { node: 'node3', cache }],
    'POST /v1/disk-images': [{ kind: 'ready', image }],
  });
  const done = (node: string) => `isos/a.img is on ${node}: 512 B, SHA-256 ${sha256}.\n`;
  expect(await run('workload', 'image', 'add', 'isos/a.img')).toBe(done('node1') + done('node3'));
  const bodies = () => daemon.asked.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body));
  expect(bodies()).toEqual(['node1', 'node3'].map((node) => ({ node, source: 'isos/a.img' })));
  expect(await run('workload', 'image', 'add', 'isos/a.img', '-n', 'node3')).toBe(done('node3'));
  expect(bodies()).toHaveLength(3);
});
