/** `mesh system configure` is killed at any moment, or meets a full disk: the old set or the new one is in force, complete. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OverlayStore } from '../../../src/image/overlay/overlay-store.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { LONG } from '../../kit/long.ts';
import { SmallDisk } from '../small-disk.ts';
import { crowdOf } from './crowd.ts';
import { configure, configuring, meshCommand, ownText, writeMachines } from './rack.ts';

const DISK_BYTES = 24 * 1024 * 1024;
const MACHINES = 45;
/**
 * A kill comes when so many files of the new set are begun: a number of files is as far on a busy machine as on an idle one. The first kill
 * comes before the command has started, the last one never: so each run sees the old set and the new one.
 */
const MOMENTS: readonly number[] = LONG
  ? [0, 1, ...Array.from({ length: 14 }, (_, at) => (at + 1) * 3), MACHINES, MACHINES + 1, Number.POSITIVE_INFINITY]
  : [0, 1, MACHINES / 3, MACHINES, Number.POSITIVE_INFINITY];

const crowd = crowdOf(MACHINES, '10.77.0.1', '10.77.0');
let root: string;
let state: string;
let disk: SmallDisk;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mw-configure-'));
  ({ state } = pathsBelow(root));
  mkdirSync(join(root, 'host0'), { recursive: true });
  disk = new SmallDisk(state, DISK_BYTES);
  disk.mount();
});

afterEach(() => {
  disk.unmount();
  rmSync(root, { recursive: true });
});

/** Checks that the overlays of all machines are complete and of one edition. @returns that edition */
async function editionInForce(): Promise<string> {
  const overlayStore = new OverlayStore(state);
  const editions = new Set<string>();
  for (const member of crowd) {
    const overlay = (await overlayStore.overlayOf(member.machine))?.overlay;
    if (overlay === undefined) throw new Error(`${member.name} has no overlay`);
    expect(
      createHash('sha256')
        .update(readFileSync(overlayStore.pathOf(overlay)))
        .digest('hex'),
    ).toBe(overlay.sha256);
    const own = (await overlayStore.entriesOf(overlay)).find(({ path }) => path === 'etc/own');
    const text = own?.type === 'file' ? Buffer.from(own.content).toString() : '';
    const [, edition = ''] = /, (.*) edition\n$/.exec(text) ?? [];
    expect(text).toBe(`${ownText(member, edition)}\n`);
    editions.add(edition);
  }
  expect(editions.size).toBe(1);
  return [...editions].join();
}

/** How many files, whole or begun, are in the directory of the overlays. */
function filesOfSets(): number {
  return readdirSync(join(state, 'overlays')).length;
}

test('a kill at any moment leaves the old set or the new one', async () => {
  writeMachines(root, crowd, 'first');
  expect(configure(root)).toMatchObject({ status: 0 });
  let before = 'first';
  const outcomes: ('old' | 'new')[] = [];
  for (const files of MOMENTS) {
    const edition = `${files} files`;
    writeMachines(root, crowd, edition);
    const there = filesOfSets();
    const child = configuring(root);
    const ended = once(child, 'exit');
    while (child.exitCode === null && filesOfSets() - there < files) await nextTurn();
    child.kill('SIGKILL');
    await ended;
    const now = await editionInForce();
    expect([before, edition], edition).toContain(now);
    outcomes.push(now === before ? 'old' : 'new');
    before = now;
  }
  console.info(MOMENTS.map((files, at) => `killed at ${files} files: the ${outcomes[at]} set`).join('\n'));
  expect([outcomes[0], outcomes.at(-1)]).toEqual(['old', 'new']);
  writeMachines(root, crowd, 'last');
  expect(configure(root)).toMatchObject({ status: 0 });
  expect(await editionInForce()).toBe('last');
});

test('a disk that becomes full at any point leaves the old set', async () => {
  writeMachines(root, crowd, 'old');
  expect(configure(root)).toMatchObject({ status: 0 });
  writeMachines(root, crowd, 'new');
  // There is no room at all; room for a third of the files; room for two thirds of them.
  for (const room of [0, MACHINES / 3, (MACHINES * 2) / 3]) {
    disk.fill(room * 4096);
    const { status, stdout } = configure(root);
    expect(status).not.toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'MESH_DISK_REFUSED' } });
    expect(await editionInForce()).toBe('old');
    disk.clear();
  }
  expect(configure(root)).toMatchObject({ status: 0 });
  expect(await editionInForce()).toBe('new');
  // No half-written file is left behind.
  expect(readdirSync(join(state, 'overlays')).filter((name) => name.endsWith('.new'))).toEqual([]);
});

test('a full disk, a read-only disk and a file in the way are each named when a machine gets a folder', async () => {
  const stick = join(root, 'stick');
  const small = new SmallDisk(stick, 64 * 1024);
  small.mount();
  try {
    mkdirSync(join(stick, 'machines'));
    const adopt = () => {
      const { status, stdout } = meshCommand(root, '--host0-dir', stick, 'node', 'adopt', '10eff964', 'node1');
      return status === 0 ? 'adopted' : JSON.parse(stdout).error;
    };
    small.fill();
    expect(adopt()).toMatchObject({ code: 'MESH_DISK_REFUSED', message: expect.stringMatching(/no space/i) });
    small.clear();
    small.remount('ro');
    expect(adopt()).toMatchObject({ code: 'MESH_DISK_REFUSED', message: expect.stringContaining('read-only') });
    small.remount('rw');
    writeFileSync(join(stick, 'machines/node1'), '');
    expect(adopt()).toMatchObject({ code: 'MESH_ALREADY_MADE', message: expect.stringContaining('something else') });
    rmSync(join(stick, 'machines/node1'));
    expect(adopt()).toBe('adopted');
  } finally {
    small.unmount();
  }
});
