/** Power cuts at every operation of the store: machines always have a whole generation, the old one or the new one. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { ForgetfulDisk, PowerCut } from '../../../test/kit/forgetful-disk.ts';
import { LONG } from '../../../test/kit/long.ts';
import { randomFrom } from '../../../test/kit/random.ts';
import type { Generation } from './generation.ts';
import { MirrorStore } from './mirror-store.ts';

const STATE = '/state';
/** When no generation is young any more. */
const LATER = new Date('2026-12-02T00:00:00Z');
const SHA256 = 'ab'.repeat(32);
const INDEX = 'v3.19/main/x86_64/APKINDEX.tar.gz';

/** A generation whose packages have the titles as contents. */
function generation(number: number, titles: readonly string[]): Generation {
  return {
    number,
    builtAt: '2026-12-01T00:00:00.000Z',
    mode: 'exact',
    architecture: 'x86_64',
    fingerprint: createHash('sha256').update(titles.join()).digest('hex'),
    signedBy: 'host0-12345678.rsa.pub',
    repositories: [],
    worlds: [],
    packages: titles.map((name) => ({
      name,
      version: '1',
      repository: 'v3.19/main',
      bytes: name.length,
      checksum: `Q1${createHash('sha1').update(name).digest('base64')}`,
      why: { type: 'word', word: name },
    })),
    boot: { version: '3.19.1', kernelRelease: '6.6', files: [{ name: 'vmlinuz-lts', bytes: 6, sha256: SHA256 }] },
  };
}

const NO_FILES = { version: '3.19.1', kernelRelease: '6.6', files: [] };

/** Fetches what is missing, and publishes, as a download does. */
async function publish(disk: ForgetfulDisk, titles: readonly string[]): Promise<void> {
  const store = new MirrorStore(STATE, disk);
  await store.prepare();
  const number = await store.nextNumber();
  const made = generation(number, titles);
  const files = made.packages.map(({ name, checksum }) => ({ content: name, path: store.packagePath(checksum) }));
  for (const { content, path } of [...files, { content: 'kernel', path: store.bootPath(SHA256) }]) {
    if (await store.has(path)) continue;
    await disk.remove(`${path}.part`);
    await disk.write(`${path}.part`, content);
    await store.take(`${path}.part`, path);
  }
  await store.publish(made, [{ path: INDEX, content: Buffer.from(titles.join()) }]);
  await store.collectGarbage(LATER);
}

/** The titles that machines are given; fails unless all files are there and belong together. */
async function served(disk: ForgetfulDisk): Promise<string | undefined> {
  const store = new MirrorStore(STATE, disk);
  const current = await store.current();
  if (current === undefined) return undefined;
  const tree = `${store.generations}/${current.number}/files`;
  const titles = current.packages.map(({ name }) => name);
  expect((await disk.read(`${tree}/${INDEX}`))?.toString()).toBe(titles.join());
  for (const title of titles) {
    expect((await disk.read(`${tree}/v3.19/main/x86_64/${title}-1.apk`))?.toString()).toBe(title);
  }
  expect((await disk.read(`${tree}/boot/vmlinuz-lts`))?.toString()).toBe('kernel');
  return titles.join();
}

const ROUNDS = [['a'], ['a', 'b'], ['b', 'c'], ['c'], ['d', 'a'], ['e']];

/** The number of operations of all rounds without a cut. */
async function allOperations(): Promise<number> {
  const disk = new ForgetfulDisk();
  for (const titles of ROUNDS) await publish(disk, titles);
  return disk.operations;
}

test('after a power cut at any operation, machines have the old generation or the new one', async () => {
  const operations = await allOperations();
  const random = randomFrom(17);
  const times = LONG ? 20 : 3;
  let cuts = 0;
  for (let cutAt = 1; cutAt <= operations; cutAt++) {
    for (let time = 0; time < times; time++) {
      const disk = new ForgetfulDisk();
      disk.cutAt = cutAt;
      let before: string | undefined;
      for (const titles of ROUNDS) {
        try {
          await publish(disk, titles);
          before = titles.join();
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error;
          cuts++;
          const chance = random();
          disk.forget(() => random() < chance);
          expect([before, titles.join()], `cut at ${cutAt}`).toContain(await served(disk));
          // The next run makes what this one could not.
          await publish(disk, titles);
          expect(await served(disk)).toBe(titles.join());
          break;
        }
      }
    }
  }
  expect(cuts).toBe(operations * times);
  expect(cuts).toBeGreaterThan(300);
});

test('a power cut in a rollback leaves one of both', async () => {
  for (let step = 1; step <= 5; step++) {
    const disk = new ForgetfulDisk();
    for (const titles of [['a'], ['b']]) await publish(disk, titles);
    disk.cutAt = disk.operations + step;
    await new MirrorStore(STATE, disk).rollback().catch(() => undefined);
    disk.forget(() => step % 2 === 0);
    expect(['a', 'b']).toContain(await served(disk));
    expect((await new MirrorStore(STATE, disk).rollback(1)).number).toBe(1);
    expect(await served(disk)).toBe('a');
  }
});

test('a generation that cannot be read is left alone', async () => {
  const disk = new ForgetfulDisk();
  for (const titles of [['a'], ['b']]) await publish(disk, titles);
  const path = '/state/mirror/generations/1/generation.json';
  const text = (await disk.read(path))?.toString() ?? '';
  await disk.remove(path);
  await disk.write(path, text.replace('{', '{"format":2,'));
  for (const titles of [['c'], ['d'], ['e'], ['f']]) await publish(disk, titles);
  const names = await disk.list('/state/mirror/generations');
  expect([...names].sort()).toEqual(['1', '3', '4', '5', '6', 'current']);
  expect((await disk.read('/state/mirror/generations/1/files/v3.19/main/x86_64/a-1.apk'))?.toString()).toBe('a');
});

test('a generation stays for an hour after the next one was built, and goes in one step', async () => {
  const disk = new ForgetfulDisk();
  const store = new MirrorStore(STATE, disk);
  await store.prepare();
  for (let number = 1; number <= 6; number++) await store.publish({ ...generation(number, []), boot: NO_FILES }, []);
  const built = Date.parse('2026-12-01T00:00:00Z');
  await store.collectGarbage(new Date(built + 59 * 60_000));
  expect((await store.list()).map(({ number }) => number)).toEqual([6, 5, 4, 3, 2, 1]);
  // A clean-up that is cut off anywhere leaves no half of a generation under its name.
  const removed: string[] = [];
  const remove = disk.remove.bind(disk);
  disk.remove = async (path) => {
    removed.push(path);
    await remove(path);
  };
  await store.collectGarbage(new Date(built + 61 * 60_000));
  expect((await store.list()).map(({ number }) => number)).toEqual([6, 5, 4, 3]);
  expect(removed.filter((path) => /\/\d+$/.test(path))).toEqual([]);
});

test('a description that is damaged is no generation', async () => {
  const disk = new ForgetfulDisk();
  for (const titles of [['a'], ['b']]) await publish(disk, titles);
  const path = '/state/mirror/generations/2/generation.json';
  await disk.remove(path);
  await disk.write(path, '{"number": 2');
  const store = new MirrorStore(STATE, disk);
  expect((await store.list()).map(({ number }) => number)).toEqual([1]);
  expect(await store.current()).toBeUndefined();
  expect((await store.rollback(1)).number).toBe(1);
  expect(await served(disk)).toBe('a');
});
