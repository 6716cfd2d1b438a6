/** host0's store comes up whatever its file is, loses nothing without a word, and writes over no file of a later version. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { seedOfRun } from '../../../test/kit/damage.ts';
import { damageFile } from '../../../test/kit/damaged-file.ts';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { randomFrom } from '../../../test/kit/random.ts';
import type { Entry } from '../store.ts';
import { openHost0Store } from './host0-store.ts';
import { failureOf, type SqliteFailure } from './sqlite-failure.ts';
import { SqliteFile } from './sqlite-file.ts';
import { SqliteStore } from './sqlite-store.ts';

const DAY_MS = 86_400_000;
const ROUNDS = 300;

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mw-host0-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Opens the store, calls `use`, and closes the store. */
async function withStore<T>(
  directory: string,
  use: (opened: Awaited<ReturnType<typeof openHost0Store>>) => T,
  clock = new ManualClock(),
): Promise<Awaited<T>> {
  const opened = await openHost0Store(directory, clock);
  try {
    return await use(opened);
  } finally {
    await opened.store.close();
  }
}

/** A state directory whose store has some members. @returns its entries */
async function fill(directory: string): Promise<readonly Entry[]> {
  return await withStore(directory, async ({ store }) => {
    const members = Array.from({ length: 120 }, (_, number) => ({
      put: `/v1/meshes/mesh-456/members/${number}`,
      value: JSON.stringify({ name: `node${number}`, ipv4: `10.11.0.${number}`, note: 'x'.repeat(number) }),
    }));
    await store.txn([], members);
    await store.txn([], [{ delete: members[3]?.put ?? '' }]);
    return (await store.range('')).entries;
  });
}

test('damage at a random place is found, or has changed no entry', async () => {
  const random = randomFrom(seedOfRun());
  const whole = newDirectory();
  const entries = await fill(whole);
  const path = join(newDirectory(), 'store.db');
  const seen = { damaged: 0, later: 0, harmless: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    for (const suffix of ['', '-wal', '-journal']) rmSync(`${path}${suffix}`, { recursive: true, force: true });
    cpSync(join(whole, 'store.db'), path);
    const what = damageFile(path, random);
    // A directory is no matter of sqlite, and an empty file is a new store: both have their own tests.
    if (!statSync(path).isFile() || statSync(path).size === 0) continue;
    const { now, failure } = readOnce(path);
    if (failure === undefined) {
      expect(now, what).toEqual(entries);
      seen.harmless++;
    } else {
      expect(failure, what).toMatchObject({ file: expect.stringMatching(/^(damaged|later)$/) });
      seen[failure.file ?? 'damaged']++;
    }
  }
  console.info(seen);
});

/** What a worker finds in a file. */
function readOnce(path: string): { readonly now?: readonly Entry[]; readonly failure?: SqliteFailure } {
  try {
    const file = new SqliteFile(path);
    try {
      return { now: file.read().image.entries };
    } finally {
      file.close();
    }
  } catch (thrown) {
    return { failure: failureOf(thrown) };
  }
}

test('what the finding of a damaged store says heals: the backup is taken, or the damaged file is removed', async () => {
  const directory = newDirectory();
  const path = join(directory, 'store.db');
  const entries = await fill(directory);
  cpSync(path, `${path}.backup`);
  writeFileSync(path, readFileSync(path).fill(0xff, 4096));
  await withStore(directory, async ({ store, health }) => {
    expect(health()).toMatchObject([
      {
        code: 'MESH_STORE_BROKEN',
        object: path,
        message: expect.stringContaining('the members and machines that were known are gone'),
        remedy: expect.stringContaining(`restore ${path} from a backup`),
      },
    ]);
    expect((await store.range('')).entries).toEqual([]);
  });
  // Also after a restart.
  await withStore(directory, ({ health }) => expect(health()).toHaveLength(1));
  cpSync(`${path}.backup`, path);
  rmSync(`${path}.damaged`);
  await withStore(directory, async ({ store, health }) => {
    expect((await store.range('')).entries).toEqual(entries);
    expect(health()).toEqual([]);
  });
});

test.each([
  ['removed', (path: string) => rmSync(path)],
  ['emptied', (path: string) => truncateSync(path)],
])('a store that was %s is told for a day, also after restarts', async (_, empty) => {
  const directory = newDirectory();
  const path = join(directory, 'store.db');
  await withStore(directory, ({ health }) => expect(health()).toEqual([]));
  await withStore(directory, ({ health }) => expect(health()).toEqual([]));
  empty(path);
  const clock = new ManualClock();
  const finding = { code: 'MESH_STORE_BROKEN', severity: 'warning', object: path };
  for (let start = 0; start < 2; start++) {
    await withStore(directory, ({ health }) => expect(health()).toMatchObject([finding]), clock);
  }
  await clock.pass(DAY_MS);
  await withStore(directory, ({ health }) => expect(health()).toEqual([]), clock);
});

test('a store of a later version stays as it is, and host0 works with one beside it', async () => {
  const directory = newDirectory();
  const path = join(directory, 'store.db');
  await fill(directory);
  const later = new DatabaseSync(path);
  later.exec('PRAGMA user_version = 2');
  later.close();
  const before = readFileSync(path);
  for (const value of ['1', '2']) {
    await withStore(directory, async ({ store, health }) => {
      expect(health()).toMatchObject([{ code: 'MESH_STATE_LATER', object: path }]);
      expect((await store.get('a'))?.value).toBe(value === '1' ? undefined : '1');
      await store.txn([], [{ put: 'a', value }]);
    });
  }
  expect(readFileSync(path).equals(before)).toBe(true);
});

test('a store of an earlier version, which has no checksum, is read and gets one', async () => {
  const directory = newDirectory();
  const path = join(directory, 'store.db');
  const entries = await fill(directory);
  const earlier = new DatabaseSync(path);
  earlier.exec('DROP TABLE seal');
  earlier.close();
  await withStore(directory, async ({ store }) => expect((await store.range('')).entries).toEqual(entries));
  const spoilt = new DatabaseSync(path);
  spoilt.exec(`UPDATE entries SET value = replace(value, 'node7', 'node8') WHERE value LIKE '%node7"%'`);
  spoilt.close();
  await expect(SqliteStore.open(path)).rejects.toThrow('its checksum is not that of its entries');
});

test('what an earlier version has written to a store with a checksum is read', async () => {
  const directory = newDirectory();
  const path = join(directory, 'store.db');
  await fill(directory);
  const earlier = new DatabaseSync(path);
  const [meta] = earlier.prepare('SELECT revision FROM meta').all();
  const revision = Number(meta?.revision) + 1;
  earlier.exec(`
    INSERT INTO entries VALUES ('b', 'old', ${revision}, ${revision});
    INSERT INTO history VALUES (${revision}, 0, 'b', 'old', ${revision});
    UPDATE meta SET revision = ${revision};
  `);
  earlier.close();
  await withStore(directory, async ({ store, health }) => {
    expect((await store.get('b'))?.value).toBe('old');
    expect(health()).toEqual([]);
  });
});

test('a directory in the place of the store is moved aside', async () => {
  const directory = newDirectory();
  mkdirSync(join(directory, 'store.db/sub'), { recursive: true });
  await withStore(directory, ({ health }) => expect(health()).toHaveLength(1));
  expect(existsSync(join(directory, 'store.db.damaged/sub'))).toBe(true);
});

test('a store that was restored, copied or moved to another disk gets another epoch, and keeps its entries', async () => {
  const directory = newDirectory();
  const entries = await fill(directory);
  const epochOf = (where: string) => withStore(where, ({ store }) => store.epoch);
  const path = join(directory, 'store.db');
  const first = await epochOf(directory);
  expect(await epochOf(directory), 'opened again').toBe(first);

  cpSync(path, join(directory, 'backup.db'));
  await epochOf(directory);
  // Into the same file, as `cp` does: only its content tells.
  writeFileSync(path, readFileSync(join(directory, 'backup.db')));
  const restored = await epochOf(directory);
  expect(restored, 'restored in place').not.toBe(first);
  expect(await epochOf(directory), 'opened again').toBe(restored);
  await withStore(directory, async ({ store, health }) => {
    expect((await store.range('')).entries).toEqual(entries);
    expect(health()).toEqual([]);
  });

  const copy = join(newDirectory(), 'state');
  cpSync(directory, copy, { recursive: true });
  expect(await epochOf(copy), 'copied with its directory').not.toBe(restored);
  expect(await epochOf(directory), 'the original').toBe(restored);
});

test('without the file beside it, a store in its place keeps its epoch', async () => {
  const directory = newDirectory();
  await fill(directory);
  const epochOf = () => withStore(directory, ({ store }) => store.epoch);
  const epoch = await epochOf();
  rmSync(join(directory, 'epoch.json'));
  expect(await epochOf()).toBe(epoch);
});
