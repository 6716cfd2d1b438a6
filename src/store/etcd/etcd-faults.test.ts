/** The store in etcd when something is wrong: answers that are lost, requests that are late, history that is gone, refusals. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { EtcdCluster, type EtcdMember } from '../../../test/kit/etcd.ts';
import { TcpFault } from '../../../test/kit/tcp-fault.ts';
import { type Clock, systemClock } from '../../model/clock.ts';
import type { Change } from '../store.ts';
import type { EtcdPlace } from './etcd-place.ts';
import { EtcdStore } from './etcd-store.ts';

let cluster: EtcdCluster;
let member: EtcdMember;
beforeAll(async () => {
  cluster = await EtcdCluster.single();
  member = cluster.members[0] as EtcdMember;
});
afterAll(() => cluster.close());

/** Patience is over twenty times as soon. */
const HASTY: Clock = {
  ...systemClock,
  nowMs: () => systemClock.nowMs() * 20,
  after: (delayMs, ring) => systemClock.after(delayMs / 20, ring),
};

async function open(place: EtcdPlace, clock = systemClock) {
  const store = await EtcdStore.open(place, { clock });
  onTestFinished(() => store.close());
  return store;
}

/** A store whose way to etcd has faults, and one whose way has none. */
async function twoWays() {
  const fault = await TcpFault.before({ host: member.input.host, port: member.input.clientPort });
  onTestFinished(() => fault.close());
  const store = await open({ endpoints: [fault.endpoint] });
  onTestFinished(() => fault.set('pass'));
  return { fault, store, sound: await open(cluster.place) };
}

const put = (key: string, value: string): Change => ({ put: key, value });
const versionOf = (key: string) => Number(/"version":(\d+)/.exec(member.ctl('get', key, '-w=json').stdout)?.[1] ?? 0);
/** Resolves when a look is true. */
async function until(look: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('a transaction whose answer is lost is carried out once', async () => {
  const { fault, store } = await twoWays();
  fault.set('deaf');
  const written = store.txn([{ key: '/v1/a', modRevision: 0 }], [put('/v1/a', '1'), put('/v1/b', '2')]);
  await until(() => versionOf('/v1/a') === 1);
  // The client loses its patience, and finds out what became of its request.
  fault.set('cut');
  fault.set('pass');
  const result = await written;
  expect(result.succeeded).toBe(true);
  expect(await store.get('/v1/a')).toMatchObject({ value: '1', modRevision: result.revision });
  expect([versionOf('/v1/a'), versionOf('/v1/b')]).toEqual([1, 1]);
});

test('a request that arrives late, after another process has written the fence, does nothing', async () => {
  const { fault, store, sound } = await twoWays();
  fault.set('held');
  const written = store.txn([{ key: '/v1/late', modRevision: 0 }], [put('/v1/late', 'late')]);
  // What a process does that waits for a lost answer; the key is then absent again, as the late request wants.
  member.ctl('put', '/v1/store/fence', 'x');
  await sound.txn([], [put('/v1/late', 'before')]);
  await sound.txn([], [{ delete: '/v1/late' }]);
  fault.set('pass');
  // The first request was refused for the fence, so that the store could ask once more.
  expect((await written).succeeded).toBe(true);
  expect(versionOf('/v1/late')).toBe(1);
  expect((await store.get('/v1/late'))?.value).toBe('late');
});

test('an etcd that comes back is followed again, and nothing was missed', async () => {
  const { fault, store, sound } = await twoWays();
  const seen: string[] = [];
  const { revision } = await store.range('');
  store.watch(
    '/v1/',
    revision + 1,
    ({ changes }) => seen.push(...changes.map((change) => ('put' in change ? change.put.value : 'gone'))),
    (error) => seen.push(String(error)),
  );
  await sound.txn([], [put('/v1/w', '1')]);
  fault.set('cut');
  await until(() => store.trouble !== undefined);
  for (const value of ['2', '3']) await sound.txn([], [put('/v1/w', value)]);
  fault.set('pass');
  await until(() => seen.length === 3);
  expect(seen).toEqual(['1', '2', '3']);
  expect(store.trouble).toBeUndefined();
});

test('history that etcd has dropped is an error of the watch, and the store shows the present', async () => {
  const { fault, store, sound } = await twoWays();
  const { revision } = await store.range('');
  const failed = new Promise<unknown>((resolve) => store.watch('/v1/', revision + 1, () => undefined, resolve));
  fault.set('cut');
  await sound.txn([], [put('/v1/gone', '1')]);
  await sound.txn([], [{ delete: '/v1/gone' }]);
  const last = await sound.txn([], [put('/v1/here', '1')]);
  expect(member.ctl('compact', String(last.revision)).status).toBe(0);
  fault.set('pass');
  expect(await failed).toMatchObject({ code: 'MESH_STORE_COMPACTED' });
  expect((await store.get('/v1/here'))?.value).toBe('1');
  expect(await store.get('/v1/gone')).toBeUndefined();
});

test('what is written by hand is seen, and the keys of the store itself are no entries', async () => {
  const store = await open(cluster.place);
  expect(member.ctl('put', '/v1/hand', '{ "a": 1 }').stdout).toBe('OK\n');
  await until(async () => (await store.get('/v1/hand')) !== undefined);
  expect((await store.range('/v1/store/')).entries).toEqual([]);
  expect(member.ctl('get', '/v1/store/epoch', '--print-value-only').stdout).toBe(`${store.epoch}\n`);
});

test('only removals are split; what is too large otherwise is refused, and nothing changes', async () => {
  const store = await open(cluster.place);
  const many = Array.from({ length: 130 }, (_, at) => `/v1/many/${at}`);
  for (let at = 0; at < many.length; at += 60) {
    await store.txn(
      [],
      many.slice(at, at + 60).map((key) => put(key, '')),
    );
  }
  const { revision } = await store.range('');
  const tooLarge = { code: 'MESH_STORE_TOO_LARGE' };
  await expect(
    store.txn(
      [],
      many.map((key) => put(key, 'x')),
    ),
  ).rejects.toMatchObject(tooLarge);
  await expect(store.txn([], [put('/v1/many/0', 'x'.repeat(1_500_000))])).rejects.toMatchObject(tooLarge);
  expect((await store.range('')).revision).toBe(revision);
  await store.txn(
    [],
    many.map((key) => ({ delete: key })),
  );
  expect((await store.range('/v1/many/')).entries).toEqual([]);
});

test('a store that was replaced says so', async () => {
  const store = await open(cluster.place);
  expect(store.replaced).toBeUndefined();
  member.ctl('put', '/v1/store/epoch', '0123456789abcdef');
  await until(() => store.replaced !== undefined);
  const later = await open(cluster.place);
  expect(later.epoch).toBe('0123456789abcdef');
});

test('an etcd that does not answer is an error of the store', async () => {
  await expect(open({ endpoints: [{ host: '127.0.0.1', port: 1 }] }, HASTY)).rejects.toMatchObject({
    code: 'MESH_STORE_BROKEN',
    message: expect.stringContaining('ECONNREFUSED'),
  });
});
