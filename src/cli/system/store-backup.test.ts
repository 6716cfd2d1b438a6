/** `mesh system backup` and `mesh system restore`: from a file of host0's own to a real etcd, and back. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { mesh } from '../../../test/cli/mesh.ts';
import { EtcdCluster } from '../../../test/kit/etcd.ts';
import { systemClock } from '../../model/clock.ts';
import { endpointText } from '../../model/etcd-endpoint.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { EtcdStore } from '../../store/etcd/etcd-store.ts';
import { SqliteStore } from '../../store/sqlite/sqlite-store.ts';
import type { Store } from '../../store/store.ts';

let cluster: EtcdCluster;
beforeAll(async () => {
  cluster = await EtcdCluster.single();
});
afterAll(() => cluster.close());

const storeWords = () => `etcd://${cluster.place.endpoints.map(endpointText).join()}`;

/** A stopped host0 whose store is a file with some entries. */
async function stoppedHost0() {
  const root = mkdtempSync(join(tmpdir(), 'mw-backup-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const paths = pathsBelow(root);
  mkdirSync(paths.host0);
  const conf = join(paths.host0, 'host0.conf');
  writeFileSync(conf, 'boot="off"\n# the last line');
  const path = join(paths.state, 'store.db');
  const store = await SqliteStore.open(path);
  for (let at = 0; at < 70; at++) await store.txn([], [{ put: `/v1/things/${at}`, value: `{"at":${at}}` }]);
  const before = await contents(store);
  await store.close();
  const run = (...words: readonly string[]) => mesh(['--root', root, '--json', 'system', ...words]);
  return { root, conf, path, file: join(root, 'store.json'), epoch: store.epoch, before, run };
}

const contents = async (store: Store) => (await store.range('/v1/')).entries.map(({ key, value }) => [key, value]);

test('what a file has is carried into an etcd and back, each time with a new epoch, and never over another by mistake', async () => {
  const { conf, path, file, epoch, before, run } = await stoppedHost0();
  expect(JSON.parse((await run('backup', file, '--store-only')).stdout)).toMatchObject({ entries: 70, epoch });
  expect(statSync(file).mode & 0o777).toBe(0o600);

  const there = JSON.parse((await run('restore', file, '--store', storeWords())).stdout);
  expect(there).toMatchObject({ store: storeWords(), entries: 70 });
  expect(readFileSync(conf, 'utf8')).toBe(`boot="off"\n# the last line\nstore="${storeWords()}"\n`);
  const etcd = await EtcdStore.open(cluster.place, { clock: systemClock });
  expect(await contents(etcd)).toEqual(before);
  expect(etcd.epoch).toBe(there.epoch);
  await etcd.close();
  await expect(run('restore', file)).rejects.toMatchObject({ code: 'MESH_ALREADY_MADE' });
  expect(JSON.parse((await run('restore', file, '--force')).stdout).epoch).not.toBe(there.epoch);

  await run('backup', file, '--store-only');
  await expect(run('restore', file, '--store', 'sqlite')).rejects.toMatchObject({ code: 'MESH_ALREADY_MADE' });
  // A refusal leaves the choice as it was.
  expect(readFileSync(conf, 'utf8')).toContain(`store="${storeWords()}"`);
  const back = JSON.parse((await run('restore', file, '--store', 'sqlite', '--force')).stdout);
  expect(readFileSync(conf, 'utf8')).toBe('boot="off"\n# the last line\nstore="sqlite"\n');
  const store = await SqliteStore.open(path);
  expect(await contents(store)).toEqual(before);
  expect([epoch, there.epoch]).not.toContain(store.epoch);
  expect(store.epoch).toBe(back.epoch);
  await store.close();
});

test('a whole backup of a host0 with a file becomes one with an etcd, and is refused over what an etcd has', async () => {
  const { root, before, run } = await stoppedHost0();
  const file = join(root, 'host0.backup');
  await run('backup', file);
  const box = mkdtempSync(join(tmpdir(), 'mw-backup-'));
  onTestFinished(() => rmSync(box, { recursive: true }));
  const there = (...words: readonly string[]) => mesh(['--root', box, '--json', 'system', 'restore', file, ...words]);
  const etcd = await EtcdStore.open(cluster.place, { clock: systemClock });
  onTestFinished(() => etcd.close());
  const { entries } = await etcd.range('/v1/');
  if (entries.length === 0) await etcd.txn([], [{ put: '/v1/things/of-before', value: '' }]);
  await expect(there('--store', storeWords())).rejects.toMatchObject({ code: 'MESH_ALREADY_MADE' });
  expect(readdirSync(box).filter((name) => name !== 'var')).toEqual([]);
  const answer = JSON.parse((await there('--store', storeWords(), '--force')).stdout);
  expect(answer).toMatchObject({ store: storeWords(), entries: 70 });
  const paths = pathsBelow(box);
  expect(readFileSync(join(paths.host0, 'host0.conf'), 'utf8')).toBe(
    `boot="off"\n# the last line\nstore="${storeWords()}"\n`,
  );
  expect(readdirSync(paths.state).filter((name) => name.startsWith('store.db'))).toEqual([]);
  const filled = await EtcdStore.open(cluster.place, { clock: systemClock });
  onTestFinished(() => filled.close());
  expect([await contents(filled), filled.epoch]).toEqual([before, answer.epoch]);
});

test('an etcd that another host0 works with is not filled', async () => {
  const { file, run } = await stoppedHost0();
  await run('backup', file, '--store-only');
  const other = await EtcdStore.open(cluster.place, { clock: systemClock });
  onTestFinished(() => other.close());
  await other.lead({ owner: 'another', name: 'rack7', onLost: () => undefined });
  const refused = run('restore', file, '--store', storeWords(), '--force');
  await expect(refused).rejects.toMatchObject({ code: 'MESH_STORE_LED', message: expect.stringContaining('rack7') });
});

test('a copy with an entry that etcd does not take changes nothing there', async () => {
  const { file, run } = await stoppedHost0();
  await run('backup', file, '--store-only');
  const document = JSON.parse(readFileSync(file, 'utf8'));
  document.entries.push({ key: '/v1/things/z', value: 'x'.repeat(1_500_000) });
  writeFileSync(file, JSON.stringify(document));
  const etcd = await EtcdStore.open(cluster.place, { clock: systemClock });
  await etcd.txn([], [{ put: '/v1/things/of-before', value: '' }]);
  const before = await etcd.range('');
  await etcd.close();
  await expect(run('restore', file, '--store', storeWords(), '--force')).rejects.toMatchObject({
    code: 'MESH_STORE_TOO_LARGE',
    object: '/v1/things/z',
  });
  const after = await EtcdStore.open(cluster.place, { clock: systemClock });
  onTestFinished(() => after.close());
  expect((await after.range('')).entries).toEqual(before.entries);
});

test('a restore into a file that is cut short leaves the file as it was, and nothing beside it', async () => {
  const { root, path, file, epoch, before, run } = await stoppedHost0();
  await run('backup', file, '--store-only');
  const document = JSON.parse(readFileSync(file, 'utf8'));
  // A key that stands twice is refused when its transaction is made, after others are in the file.
  document.entries.push({ key: '/v1/zz', value: '' }, { key: '/v1/zz', value: '' });
  writeFileSync(file, JSON.stringify(document));
  await expect(run('restore', file, '--force')).rejects.toMatchObject({ code: 'MESH_INTERNAL' });
  const store = await SqliteStore.open(path);
  expect([store.epoch, await contents(store)]).toEqual([epoch, before]);
  await store.close();
  expect(readdirSync(pathsBelow(root).state).filter((name) => name.startsWith('store.db'))).toEqual(['store.db']);
});

test('a word that is no store, and a file that is no copy, change nothing', async () => {
  const { conf, run } = await stoppedHost0();
  const text = readFileSync(conf, 'utf8');
  await expect(run('restore', conf)).rejects.toMatchObject({ code: 'MESH_BACKUP_FOREIGN' });
  await expect(run('start', '--store', 'http://a:1')).rejects.toMatchObject({ code: 'MESH_USAGE' });
  expect(readFileSync(conf, 'utf8')).toBe(text);
});
