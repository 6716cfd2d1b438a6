/** `mesh lab up` is killed at any point: the next run removes what is left, and works. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { commandDirectory } from '../../../src/image/node/program-files.ts';
import type { LabReport } from '../../../src/lab/cluster/examination.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { LABS_DIRECTORY } from '../../../src/lab/cluster/record.ts';
import { residentsOf } from '../../../src/lab/cluster/residents.ts';
import { planTopology } from '../../../src/lab/hosts/topology.ts';
import { namespacesOf } from '../../../src/lab/hosts/underlay.ts';
import { LONG } from '../../kit/long.ts';

const mesh = join(commandDirectory, 'mesh');
const size = { name: `c${process.pid}`, nodes: 3, segments: 2 };
const directory = join(LABS_DIRECTORY, size.name);
const topology = planTopology(size);
const POLL_MS = 1;
const DEADLINE_MS = 20_000;

afterEach(async () => {
  if (existsSync(directory)) await Lab.open(size.name).down();
});

function labUp(...options: string[]): ChildProcess {
  return spawn(mesh, ['lab', 'up', '--name', size.name, '--json', ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + DEADLINE_MS;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error(`never: ${what}`);
    await sleep(POLL_MS);
  }
}

function namespaces(): string[] {
  const list = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  return list.split('\n').filter((line) => line.startsWith(`mw-${size.name}-`));
}

const ALL_RUN = () => topology.hosts.every((host) => residentsOf([host.netns], directory).length > 0);
const MOMENTS: readonly (readonly [string, () => boolean])[] = [['all processes run', ALL_RUN]];
const MORE_MOMENTS: typeof MOMENTS = [
  ['some namespaces exist', () => existsSync(`/run/netns/${topology.hosts[1]?.netns}`)],
  ['its record is written', () => existsSync(join(directory, 'lab.json'))],
  ['the first process runs', () => residentsOf([topology.hosts[0]?.netns ?? ''], directory).length > 0],
];

describe.each([...MOMENTS, ...(LONG ? MORE_MOMENTS : [])])('killed once %s', (what, holds) => {
  test('the next run works, and leaves nothing', async () => {
    const crashed = labUp();
    await until(what, holds);
    crashed.kill('SIGKILL');
    await once(crashed, 'exit');

    const next = labUp();
    const [report, [code]] = await Promise.all([readJson(next), once(next, 'exit')]);
    expect(code).toBe(0);
    expect(report.ok).toBe(true);
    expect(report.pairs).toHaveLength(12);
    expect(namespaces()).toEqual([]);
    expect(residentsOf(namespacesOf(topology), directory)).toEqual([]);
    expect(existsSync(directory)).toBe(false);
  });
});

test('a half-made namespace is removed', async () => {
  await using lab = await Lab.build(size);
  for (const netns of [topology.underlay, topology.hosts[1]?.netns ?? '']) {
    execFileSync('ip', ['netns', 'delete', netns]);
    writeFileSync(`/run/netns/${netns}`, '');
  }
  await lab.down();
  expect(namespaces()).toEqual([]);
});

test('a disk of its own below a host goes with the lab', async () => {
  const lab = await Lab.build(size);
  const disk = join(lab.host('node1').root, 'var/lib/meshwork');
  mkdirSync(disk, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', 'meshwork-test', disk]);
  writeFileSync(join(disk, 'file'), '');
  await lab.down();
  expect(existsSync(directory)).toBe(false);
});

test('a second run of the same name is refused, and Ctrl-C takes the lab of the first down', async () => {
  const run = labUp('--keep');
  await until('its record is written', () => existsSync(join(directory, 'lab.json')));
  await expect(Lab.build(size)).rejects.toMatchObject({ code: 'MESH_ALREADY_RUNNING' });
  await until('all processes run', ALL_RUN);
  run.kill('SIGINT');
  const [code] = await once(run, 'exit');
  expect(code).toBe(130);
  expect(namespaces()).toEqual([]);
  expect(existsSync(directory)).toBe(false);
});

async function readJson(run: ChildProcess): Promise<LabReport> {
  let text = '';
  for await (const chunk of run.stdout ?? []) text += String(chunk);
  return JSON.parse(text) as LabReport;
}
