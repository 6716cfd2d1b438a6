/** A store that takes no changes is told, also where nothing is written, and is well again when it takes them. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../test/kit/manual-clock.ts';
import { SmallDisk } from '../../test/system/small-disk.ts';
import { SqliteStore } from './sqlite/sqlite-store.ts';
import { StoreWatch } from './store-watch.ts';
import { TimedStore } from './timed-store.ts';

/** A store on a small disk of its own, which is watched by hand. */
async function watched() {
  const top = mkdtempSync(join(tmpdir(), 'mw-store-watch-'));
  const directory = join(top, 'disk');
  mkdirSync(directory);
  const disk = new SmallDisk(directory, 2 * 1024 * 1024);
  disk.mount();
  const path = join(directory, 'store.db');
  const clock = new ManualClock();
  const store = new TimedStore(
    await SqliteStore.open(path),
    () => clock.nowMs(),
    () => {},
  );
  const watch = new StoreWatch({ path, store, clock });
  onTestFinished(async () => {
    watch.close();
    await store.close().catch(() => undefined);
    disk.unmount();
    rmSync(top, { recursive: true });
  });
  await watch.look();
  const remount = (option: string) => spawnSync('mount', ['-o', `remount,${option}`, directory]);
  return { disk, path, store, watch, remount };
}

const FINDING = { code: 'MESH_STORE_BROKEN', severity: 'error', message: expect.stringContaining('takes no changes') };

test('a store that takes changes has no finding, and nothing is written to find that out', async () => {
  const { store, watch } = await watched();
  await watch.look();
  expect(watch.health()).toEqual([]);
  expect((await store.range('')).revision).toBe(0);
});

test('a full disk is a finding although nobody writes, until there is room', async () => {
  const { disk, path, watch, store } = await watched();
  disk.fill();
  await watch.look();
  expect(watch.health()).toMatchObject([{ ...FINDING, object: path, remedy: 'Make room on the disk' }]);
  disk.clear();
  await watch.look();
  expect(watch.health()).toEqual([]);
  expect((await store.txn([], [{ put: 'a', value: '1' }])).succeeded).toBe(true);
});

test('a transaction that fails is a finding at once', async () => {
  const { disk, watch, store } = await watched();
  disk.fill();
  await expect(store.txn([], [{ put: 'a', value: 'x'.repeat(100_000) }])).rejects.toMatchObject({
    code: 'MESH_STORE_BROKEN',
  });
  expect(watch.health()).toMatchObject([FINDING]);
  disk.clear();
  await store.txn([], [{ put: 'a', value: '1' }]);
  expect(watch.health()).toEqual([]);
});

test('a store whose file was removed is a finding: what it takes is lost at a restart', async () => {
  const { path, watch } = await watched();
  renameSync(path, `${path}.moved`);
  await watch.look();
  expect(watch.health()).toMatchObject([{ object: path, message: expect.stringContaining('was removed or replaced') }]);
  renameSync(`${path}.moved`, path);
  await watch.look();
  expect(watch.health()).toEqual([]);
});
