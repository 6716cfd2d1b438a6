/** Records of the store: which entries are records, how a table follows them, and what it does when it cannot. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../test/kit/memory-store.ts';
import * as form from '../protocol/shapes/form.ts';
import { Collection, jsonRecords } from './collection.ts';
import { RecordTable } from './record-table.ts';

interface Pet {
  readonly name: string;
  readonly legs: number;
}

const PETS = jsonRecords<Pet>(
  '/v1/pets/',
  ({ name }) => name,
  form.object({ name: form.string(), legs: form.int() }),
  100,
);

const REX: Pet = { name: 'rex', legs: 4 };

test('a record is read as it was written, and what is damaged or below another name is spoilt', async () => {
  const store = new MemoryStore();
  const pets = new Collection(store, PETS);
  const { revision } = await store.txn(
    [],
    [
      pets.put(REX),
      { put: '/v1/pets/ada', value: '{"name":"ada"' },
      { put: '/v1/pets/bob', value: '{"name":"rex","legs":4}' },
      { put: '/v1/pets/eve', value: `{"name":"eve","legs":2,"x":"${'x'.repeat(100)}"}` },
      { put: '/v1/petsitters', value: '{}' },
    ],
  );
  const stored = { record: REX, modRevision: revision };
  expect(await pets.list()).toEqual({ records: [stored], spoilt: ['ada', 'bob', 'eve'], revision });
  expect(await pets.get('rex')).toEqual(stored);
  expect(await pets.get('bob')).toBeUndefined();
});

test('a transaction of several collections has all its conditions, or does nothing', async () => {
  const store = new MemoryStore();
  const pets = new Collection(store, PETS);
  expect(await store.txn([pets.at('rex', 0)], [pets.put(REX)])).toMatchObject({ succeeded: true });
  expect(await store.txn([pets.at('rex', 0)], [pets.remove('rex')])).toMatchObject({ succeeded: false });
  expect(await pets.get('rex')).toMatchObject({ record: REX });
});

/** A table of pets, with everything that it tells. */
async function followed(store: MemoryStore) {
  const told: unknown[] = [];
  const clock = new ManualClock();
  const collection = new Collection(store, PETS);
  const table = new RecordTable({
    collection,
    clock,
    onChange: ({ name, before, after }) => told.push([name, before?.legs, after?.legs]),
    onLoad: async () => void told.push('loaded'),
    onFailure: (error) => told.push(error),
  });
  await table.start();
  return { table, told, clock, collection };
}

test('a table tells changes in their order, and a write is in the table when it resolves', async () => {
  const { table, told } = await followed(new MemoryStore());
  await table.put(REX);
  expect(table.get('rex')).toEqual(REX);
  await table.put({ ...REX, legs: 3 });
  await table.remove('rex');
  expect([table.size, table.revision]).toEqual([0, 3]);
  expect(told).toEqual(['loaded', ['rex', undefined, 4], ['rex', 4, 3], ['rex', 3, undefined]]);
});

test('a record that another program damages stays in the table, and one that it changed is not written over', async () => {
  const store = new MemoryStore();
  const { table } = await followed(store);
  await table.put(REX);
  await table.shows((await store.txn([], [{ put: '/v1/pets/rex', value: 'damage' }])).revision);
  expect(table.get('rex')).toEqual(REX);
  await expect(table.put({ ...REX, legs: 5 })).rejects.toMatchObject({ code: 'MESH_STORE_CONFLICT', retryable: true });
});

test('a table that lost its place in the history reads everything again', async () => {
  const store = new MemoryStore({ historyRevisions: 10 });
  const { table, told, clock, collection } = await followed(store);
  // In one step, so that the watch delivers nothing between.
  for (let legs = 0; legs < 20; legs++) void store.txn([], [collection.put({ name: 'rex', legs })]);
  await clock.pass(999);
  expect(told).toMatchObject(['loaded', { code: 'MESH_STORE_COMPACTED' }]);
  await clock.pass(1);
  expect(table.revision).toBe(20);
  expect(table.get('rex')).toEqual({ name: 'rex', legs: 19 });
});

test('a record that is damaged stays in the table when everything is read again', async () => {
  const store = new MemoryStore({ historyRevisions: 10 });
  const { table, clock, collection } = await followed(store);
  await table.put(REX);
  await store.txn([], [{ put: '/v1/pets/rex', value: 'damage' }]);
  for (let legs = 0; legs < 20; legs++) void store.txn([], [collection.put({ name: 'ada', legs })]);
  await clock.pass(1_000);
  expect([table.get('rex'), table.get('ada')]).toEqual([REX, { name: 'ada', legs: 19 }]);
  expect([...table.spoilt]).toEqual(['rex']);
});

test('forgetting removes all entries of the collection, and no others', async () => {
  const store = new MemoryStore();
  const { table, collection } = await followed(store);
  await store.txn(
    [],
    [collection.put(REX), { put: '/v1/pets/ada', value: 'damage' }, { put: '/v1/other', value: '1' }],
  );
  await table.forget();
  expect((await store.range('')).entries.map(({ key }) => key)).toEqual(['/v1/other']);
});
