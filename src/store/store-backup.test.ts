/** A copy of a store: what it holds, and what becomes of the store that it is put into. */
import { expect, test } from 'vitest';
import { MemoryStore } from '../../test/kit/memory-store.ts';
import { mustBeWhole, readBackup, restoreBackup, takeBackup } from './store-backup.ts';

/** A store with many entries, of which one is large and one is that of a probe. */
async function filled(): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (let at = 0; at < 130; at++) await store.txn([], [{ put: `/v1/pets/${at}`, value: `"ä\n${at}"` }]);
  await store.txn([], [{ put: '/v1/large', value: 'x'.repeat(1_200_000) }]);
  await store.txn([], [{ put: '/v1/probe', value: 'now' }]);
  return store;
}

const contents = async (store: MemoryStore) =>
  (await store.range('')).entries.filter(({ key }) => key !== '/v1/probe').map(({ key, value }) => [key, value]);

test('what is restored is what was there, and what was there before is gone', async () => {
  const store = await filled();
  const document = readBackup('store.json', JSON.stringify(await takeBackup(store, new Date())));
  const other = new MemoryStore();
  await other.txn([], [{ put: '/v1/pets/old', value: '' }]);
  await restoreBackup(other, document);
  expect(await contents(other)).toEqual(await contents(store));
  await mustBeWhole(other);
});

test('no transaction of a restore is larger than etcd takes', async () => {
  const document = await takeBackup(await filled(), new Date());
  const other = new MemoryStore();
  const sizes: number[] = [];
  const txn = other.txn.bind(other);
  other.txn = (compare, then, otherwise) => {
    sizes.push(then.length);
    return txn(compare, then, otherwise);
  };
  await restoreBackup(other, document);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(60);
});

test('a store whose restore was cut short is refused, until it was restored again', async () => {
  const document = await takeBackup(await filled(), new Date());
  const other = new MemoryStore();
  const txn = other.txn.bind(other);
  let left = 2;
  other.txn = async (...args) => {
    if (left-- === 0) throw new Error('the power is cut');
    return await txn(...args);
  };
  await expect(restoreBackup(other, document)).rejects.toThrow('the power is cut');
  other.txn = txn;
  await expect(mustBeWhole(other)).rejects.toMatchObject({ code: 'MESH_STORE_BROKEN' });
  await expect(takeBackup(other, new Date())).rejects.toMatchObject({ code: 'MESH_STORE_BROKEN' });
  await restoreBackup(other, document);
  await mustBeWhole(other);
});

test.each([
  '',
  '{}',
  '{"format":2}',
  '{"format":1,"holds":"the store of Meshwork\'s host0","entries":[{"key":"/etc"}]}',
])('another document is refused: %s', (text) => {
  expect(() => readBackup('store.json', text)).toThrow(expect.objectContaining({ code: 'MESH_STATE_DAMAGED' }));
});
