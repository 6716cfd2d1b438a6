/** The sqlite store: the contract of every store, restarts, damage, and writers that are killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { LONG } from '../../../test/kit/long.ts';
import { storeContract } from '../../../test/kit/store-contract.ts';
import type { WatchBatch } from '../store.ts';
import { SqliteStore } from './sqlite-store.ts';

async function newPath(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mw-store-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, 'state/host0.sqlite');
}

storeContract('sqlite store', async (options) => SqliteStore.open(await newPath(), options));

test('a store that is opened again has the same contents and epoch', async () => {
  const path = await newPath();
  const first = await SqliteStore.open(path);
  await first.txn(
    [],
    [
      { put: 'a', value: '1' },
      { put: 'b', value: '1' },
    ],
  );
  await first.txn([], [{ put: 'a', value: '2' }, { delete: 'b' }]);
  const range = await first.range('');
  await first.close();

  const again = await SqliteStore.open(path);
  expect(again.epoch).toBe(first.epoch);
  expect(await again.range('')).toEqual(range);
  expect(await batchesUntil(again, 2)).toMatchObject([
    { revision: 1, changes: [{ put: { key: 'a', value: '1' } }, { put: { key: 'b' } }] },
    { revision: 2, changes: [{ put: { key: 'a', value: '2', createRevision: 1, modRevision: 2 } }, { delete: 'b' }] },
  ]);
  expect((await again.txn([{ key: 'a', modRevision: 2 }], [{ put: 'a', value: '3' }])).revision).toBe(3);
  await again.close();
});

test('compacted history stays compacted after a restart', async () => {
  const path = await newPath();
  const first = await SqliteStore.open(path, { historyRevisions: 10 });
  for (let i = 1; i <= 30; i++) await first.txn([], [{ put: 'a', value: String(i) }]);
  await first.close();
  const again = await SqliteStore.open(path);
  await expect(batchesUntil(again, 30)).rejects.toMatchObject({ code: 'MESH_STORE_COMPACTED' });
  await again.close();
});

test('the files are for root and its group, under any umask and when they were open to all', async () => {
  const umask = process.umask(0);
  onTestFinished(() => void process.umask(umask));
  const path = await newPath();
  const modes = () => Promise.all([path, `${path}-wal`].map(async (file) => (await stat(file)).mode & 0o777));
  const first = await SqliteStore.open(path);
  await first.txn([], [{ put: 'a', value: '1' }]);
  expect(await modes()).toEqual([0o640, 0o640]);
  await first.close();
  await chmod(path, 0o666);
  const again = await SqliteStore.open(path);
  await again.txn([], [{ put: 'a', value: '2' }]);
  expect(await modes()).toEqual([0o640, 0o640]);
  await again.close();
});

test('a new store has a new epoch', async () => {
  const stores = [await SqliteStore.open(await newPath()), await SqliteStore.open(await newPath())];
  expect(stores[0]?.epoch).not.toBe(stores[1]?.epoch);
  for (const store of stores) await store.close();
});

test('a second process is refused, and the first continues', async () => {
  const path = await newPath();
  const first = await SqliteStore.open(path);
  await expect(SqliteStore.open(path)).rejects.toMatchObject({
    code: 'MESH_STORE_BROKEN',
    remedy: 'Stop the other host0, or give this one another root',
  });
  expect((await first.txn([], [{ put: 'a', value: '1' }])).revision).toBe(1);
  await first.close();
});

test('a file that is not a store is refused with a remedy', async () => {
  const path = await newPath();
  await (await SqliteStore.open(path)).close();
  await writeFile(
    path,
    'this is not a database, and it is longer than a header of sqlite would be: 100 bytes or more.',
  );
  await expect(SqliteStore.open(path)).rejects.toMatchObject({
    code: 'MESH_STORE_BROKEN',
    operation: 'open store',
    object: path,
    remedy: expect.stringMatching(/^Restore the file from a backup/),
  });
});

test('a damaged page is found when the store is opened', async () => {
  const path = await newPath();
  const store = await SqliteStore.open(path);
  for (let i = 0; i < 200; i++) await store.txn([], [{ put: `key/${i}`, value: 'x'.repeat(100) }]);
  await store.close();
  const bytes = await readFile(path);
  bytes.fill(0xff, 2 * 4096, 4 * 4096);
  await writeFile(path, bytes);
  await expect(SqliteStore.open(path)).rejects.toMatchObject({ code: 'MESH_STORE_BROKEN' });
});

test("another program's database is refused", async () => {
  const path = await newPath();
  await (await SqliteStore.open(path)).close();
  await rm(path);
  const other = new DatabaseSync(path);
  other.exec('CREATE TABLE t (x)');
  other.close();
  await expect(SqliteStore.open(path)).rejects.toThrow('it is a database of another program');
});

test('a path that cannot exist is refused', async () => {
  const path = await newPath();
  await writeFile(dirname(path), 'a file where the directory should be');
  await expect(SqliteStore.open(path)).rejects.toMatchObject({ code: 'MESH_DISK_REFUSED' });
});

test('a writer that is killed at any point loses no acknowledged transaction, and leaves no partial one', async () => {
  const path = await newPath();
  let acknowledged = 0;
  for (let round = 0; round < (LONG ? 10 : 3); round++) {
    const acknowledgements = 1 + Math.floor(Math.random() * 200);
    acknowledged = await writeUntilKilled(path, acknowledged, acknowledgements);
    const store = await SqliteStore.open(path);
    const { entries, revision } = await store.range('');
    const [left, right] = entries;
    expect(left?.value).toBe(right?.value);
    expect(left?.modRevision).toBe(revision);
    expect(Number(left?.value)).toBeGreaterThanOrEqual(acknowledged);
    acknowledged = Number(left?.value);
    await store.close();
  }
});

/** A process that writes pairs of equal numbers, eight transactions at a time, and prints each when it is done. */
const WRITER = `
  import { SqliteStore } from ${JSON.stringify(new URL('./sqlite-store.ts', import.meta.url).href)};
  const store = await SqliteStore.open(process.argv[2]);
  let next = Number(process.argv[3]);
  const write = async () => {
    for (;;) {
      const value = String(++next);
      await store.txn([], [{ put: 'left', value }, { put: 'right', value }]);
      process.stdout.write(value + '\\n');
    }
  };
  await Promise.all(Array.from({ length: 8 }, write));
`;

/**
 * Kills the writer after `acknowledgements` lines.
 * @returns the last number that the writer printed
 */
async function writeUntilKilled(path: string, from: number, acknowledgements: number): Promise<number> {
  const script = join(dirname(dirname(path)), 'writer.mjs');
  await writeFile(script, WRITER);
  const writer = spawn(process.execPath, [script, path, String(from)], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void writer.kill('SIGKILL'));
  const exit = once(writer, 'exit');
  let last = from;
  let count = 0;
  for await (const line of createInterface(writer.stdout)) {
    last = Number(line);
    if (++count === acknowledgements) writer.kill('SIGKILL');
  }
  await exit;
  expect(writer.signalCode).toBe('SIGKILL');
  return last;
}

function batchesUntil(store: SqliteStore, revision: number): Promise<WatchBatch[]> {
  return new Promise((resolve, reject) => {
    const batches: WatchBatch[] = [];
    const take = (batch: WatchBatch) => {
      batches.push(batch);
      if (batch.revision === revision) resolve(batches);
    };
    store.watch('', 1, take, reject);
  });
}
