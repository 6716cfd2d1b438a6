/** The secrets of an installation go sealed through the store, and only the right key opens them. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { secretCheck } from '../../model/machine-key.ts';
import { SealKey } from './seal-key.ts';
import { SealedFiles } from './sealed-files.ts';

const SECRET = '{"secret":"5e5e"}';
const REFUSED = { code: 'MESH_SEAL_REFUSED' };

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mw-sealed-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function keyOf(path: string): Promise<SealKey> {
  await SealKey.make(path);
  const key = await SealKey.read(path);
  if (key === undefined) throw new Error('the key was just made');
  return key;
}

/** One host0's side of the store. */
function sideOf(store: MemoryStore, key: SealKey, directory = join(place(), 'keys'), filesMax = 8_192) {
  const files = new SealedFiles({ store, key, directory, clock: new ManualClock(), filesMax });
  onTestFinished(() => files.close());
  return { files, directory };
}

async function leader(filesMax?: number) {
  const store = new MemoryStore();
  const key = await keyOf(join(place(), 'host0.key'));
  const { files, directory } = sideOf(store, key, undefined, filesMax);
  mkdirSync(join(directory, 'hosts'), { recursive: true });
  writeFileSync(join(directory, 'installation'), SECRET);
  writeFileSync(join(directory, 'hosts/10eff964'), 'a host key');
  await files.follow();
  return { store, key, files, directory };
}

test('the next host0 has the same files, which only root may read', async () => {
  const { store, key } = await leader();
  const { entries } = await store.range('/v1/');
  expect(entries.map((entry) => entry.key)).toEqual(['/v1/sealed/hosts/10eff964', '/v1/sealed/installation']);
  expect(JSON.stringify(entries)).not.toContain('host key');
  const next = sideOf(store, key);
  await next.files.restore();
  expect(readFileSync(join(next.directory, 'installation'), 'utf8')).toBe(SECRET);
  expect(statSync(join(next.directory, 'installation')).mode & 0o777).toBe(0o600);
  expect(statSync(join(next.directory, 'hosts')).mode & 0o777).toBe(0o700);
});

test('a host0 that waits takes one file alone, in place of one of its own', async () => {
  const { store, key, files, directory } = await leader();
  writeFileSync(join(directory, 'mirror'), 'the key of all');
  await files.follow();
  const waiting = sideOf(store, key);
  mkdirSync(waiting.directory, { recursive: true });
  writeFileSync(join(waiting.directory, 'mirror'), 'a key of its own');
  await waiting.files.restore(['mirror']);
  expect(readdirSync(waiting.directory)).toEqual(['mirror']);
  expect(readFileSync(join(waiting.directory, 'mirror'), 'utf8')).toBe('the key of all');
  expect(statSync(join(waiting.directory, 'mirror')).mode & 0o777).toBe(0o600);
});

test('a changed and a removed file are so in the store', async () => {
  const { store, key, files, directory } = await leader();
  writeFileSync(join(directory, 'installation'), 'another secret');
  rmSync(join(directory, 'hosts/10eff964'));
  await files.follow();
  const next = sideOf(store, key);
  await next.files.restore();
  expect(readFileSync(join(next.directory, 'installation'), 'utf8')).toBe('another secret');
  expect((await store.range('/v1/sealed/hosts/')).entries).toEqual([]);
});

test('a directory that is lost takes nothing out of the store, and comes back with the next start', async () => {
  const { store, key, files, directory } = await leader();
  rmSync(directory, { recursive: true });
  await files.follow();
  expect(files.health()).toMatchObject([
    { code: 'MESH_SEAL_REFUSED', remedy: expect.stringContaining('Restart host0') },
  ]);
  expect((await store.range('/v1/sealed/')).entries).toHaveLength(2);
  const again = sideOf(store, key, directory);
  await again.files.restore();
  expect(readFileSync(join(directory, 'installation'), 'utf8')).toBe(SECRET);
});

test.each([
  ['is lost', (file: string) => rmSync(file)],
  ['is empty', (file: string) => writeFileSync(file, '')],
])('nothing leaves the store while the secret of the installation %s, also when a machine has a new key', async (_, harm) => {
  const { store, files, directory } = await leader();
  const before = (await store.range('/v1/sealed/')).entries;
  rmSync(directory, { recursive: true });
  mkdirSync(join(directory, 'hosts'), { recursive: true });
  writeFileSync(join(directory, 'installation'), SECRET);
  harm(join(directory, 'installation'));
  writeFileSync(join(directory, 'hosts/2b00eeff'), 'the key of a machine that has booted meanwhile');
  await files.follow();
  expect(files.health()).toMatchObject([{ code: 'MESH_SEAL_REFUSED' }]);
  expect((await store.range('/v1/sealed/')).entries).toEqual(before);
});

test('files beyond the limit take no other out of the store, and not the place of the secret', async () => {
  const { store, files, directory } = await leader(3);
  // Their names come before all others.
  for (let at = 0; at < 5; at++) writeFileSync(join(directory, `a${at}`), '');
  const txn = store.txn.bind(store);
  const deleted: string[] = [];
  store.txn = async (compare, then, otherwise) => {
    deleted.push(...then.flatMap((change) => ('delete' in change ? change.delete : [])));
    return await txn(compare, then, otherwise);
  };
  await files.follow();
  expect(deleted).toEqual([]);
  const keys = (await store.range('/v1/sealed/')).entries.map((entry) => entry.key);
  expect(keys).toEqual(expect.arrayContaining(['/v1/sealed/hosts/10eff964', '/v1/sealed/installation']));
});

test('a file that an etcd that was away did not take is put there with the next look', async () => {
  const { store, files, directory } = await leader();
  const txn = store.txn.bind(store);
  writeFileSync(join(directory, 'ssh'), 'new');
  store.txn = async () => {
    throw new Error('etcd is away');
  };
  await files.follow();
  expect(files.health()).toHaveLength(1);
  store.txn = txn;
  await files.follow();
  expect((await store.range('/v1/sealed/ssh')).entries).toHaveLength(1);
});

const secretText = (digit: string) => JSON.stringify({ secret: digit.repeat(64) });
const checkOf = (digit: string) => secretCheck(Buffer.from(digit.repeat(64), 'hex'));

test.each([
  ['the same secret', secretText('a'), true],
  ['another secret', secretText('b'), false],
  ['a damaged secret', '', false],
  ['no secret', undefined, false],
])('while the store has no secret, a host0 with %s is judged by what the store knows of it', async (_, text, may) => {
  const store = new MemoryStore();
  const { files, directory } = sideOf(store, await keyOf(join(place(), 'host0.key')));
  mkdirSync(directory);
  if (text !== undefined) writeFileSync(join(directory, 'installation'), text);
  await files.check();
  await store.txn([], [{ put: '/v1/key-check', value: checkOf('a') }]);
  if (may) await files.check();
  else await expect(files.check()).rejects.toMatchObject(REFUSED);
});

test('a secret that the one of the store replaces is kept beside the directory', async () => {
  const { store, key } = await leader();
  const next = sideOf(store, key);
  mkdirSync(next.directory);
  writeFileSync(join(next.directory, 'installation'), 'foreign');
  await next.files.restore();
  expect(readFileSync(join(next.directory, 'installation'), 'utf8')).toBe(SECRET);
  const above = join(next.directory, '..');
  const [kept = ''] = readdirSync(above).filter((name) => name.startsWith('installation-replaced-'));
  expect(readFileSync(join(above, kept), 'utf8')).toBe('foreign');
  expect(statSync(join(above, kept)).mode & 0o777).toBe(0o600);
});

test('another key opens nothing, and no file is written', async () => {
  const { store } = await leader();
  const next = sideOf(store, await keyOf(join(place(), 'host0.key')));
  await expect(next.files.check()).rejects.toMatchObject(REFUSED);
  await expect(next.files.restore()).rejects.toMatchObject(REFUSED);
  expect(() => statSync(next.directory)).toThrow('ENOENT');
});

test('a document that was changed, or stands under another name, is refused', async () => {
  const { store, key } = await leader();
  const [host, installation] = (await store.range('/v1/sealed/')).entries;
  if (host === undefined || installation === undefined) throw new Error('two documents were kept');
  expect(key.open('installation', installation.value).toString()).toBe(SECRET);
  expect(() => key.open('installation', host.value)).toThrow(expect.objectContaining(REFUSED));
  const changed = installation.value.replace(/"tag":"[0-9a-f]+"/, `"tag":"${'0'.repeat(32)}"`);
  expect(() => key.open('installation', changed)).toThrow(expect.objectContaining(REFUSED));
  expect(() => key.open('installation', '{}')).toThrow(expect.objectContaining(REFUSED));
});

test('a damaged document of any place is found before a host0 leads, and the leader puts it there again once it is deleted', async () => {
  const { store, key, files } = await leader();
  const next = sideOf(store, key);
  await next.files.check();
  const path = '/v1/sealed/installation';
  await store.txn([], [{ put: path, value: '{}' }]);
  await expect(next.files.check()).rejects.toMatchObject({
    ...REFUSED,
    remedy: expect.stringContaining(`etcdctl del ${path}`),
  });
  await store.txn([], [{ delete: path }]);
  await files.follow();
  await next.files.check();
  await next.files.restore();
  expect(readFileSync(join(next.directory, 'installation'), 'utf8')).toBe(SECRET);
});

test('a document whose name is no path of a secret keeps no host0 from leading', async () => {
  const { store, key } = await leader();
  await store.txn([], [{ put: '/v1/sealed/../outside', value: '{}' }]);
  const next = sideOf(store, key);
  await next.files.check();
  await next.files.restore();
});

test('a document leads nowhere out of the directory', async () => {
  const { store, key } = await leader();
  await store.txn([], [{ put: '/v1/sealed/../outside', value: key.seal('../outside', Buffer.from('x')) }]);
  const next = sideOf(store, key);
  await next.files.restore();
  expect(() => statSync(join(next.directory, '../outside'))).toThrow('ENOENT');
});

test.each([
  ['is readable by others', 0o644, undefined],
  ['holds something else', 0o600, '{"key":"x"}'],
])('a key file that %s is refused', async (_, mode, text) => {
  const path = join(place(), 'host0.key');
  await SealKey.make(path);
  writeFileSync(path, text ?? readFileSync(path, 'utf8'));
  chmodSync(path, mode);
  await expect(SealKey.read(path)).rejects.toMatchObject(REFUSED);
});
