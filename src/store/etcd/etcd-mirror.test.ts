/** The mirror of an etcd that others use, too, and whose lines can be long. */
import { expect, onTestFinished, test } from 'vitest';
import { FakeEtcd } from '../../../test/kit/fake-etcd.ts';
import { systemClock } from '../../model/clock.ts';
import { EtcdClient } from './etcd-client.ts';
import { EtcdMirror } from './etcd-mirror.ts';

/** A mirror of a server, and a watch of all its entries, with what that hears. */
async function mirrored(etcd: FakeEtcd) {
  const client = new EtcdClient({ endpoints: [etcd.endpoint] }, systemClock);
  const mirror = await EtcdMirror.open({
    ...{ client, clock: systemClock, scope: '/v1/', historyRevisions: 10 },
    onOwn: () => undefined,
  });
  onTestFinished(() => {
    mirror.close();
    client.close();
  });
  await expect.poll(() => etcd.begun.length).toBe(1);
  const heard: unknown[] = [];
  mirror.ledger.watch(
    '/v1/',
    mirror.ledger.revision + 1,
    ({ revision, changes }) => heard.push([revision, changes.length]),
    (error) => heard.push(error),
  );
  return { mirror, heard };
}

/** Resolves when the mirror has a revision. `shows` would ask the server again, which says a thing once. */
async function reached(mirror: EtcdMirror, revision: number): Promise<void> {
  await expect.poll(() => mirror.ledger.revision).toBe(revision);
}

test('a million revisions of other programs are passed over, and no watch ends', async () => {
  const etcd = await FakeEtcd.start();
  const { mirror, heard } = await mirrored(etcd);
  etcd.tell('/v1/a', 'one', 2);
  await reached(mirror, 2);
  etcd.tell('/v1/a', 'two', 1_000_000);
  etcd.tell('/v1/store/fence', 'x', 2_000_000);
  await reached(mirror, 2_000_000);
  expect(mirror.ledger.get('/v1/a')).toMatchObject({ value: 'two', modRevision: 1_000_000 });
  expect(heard).toEqual([
    [2, 1],
    [1_000_000, 1],
  ]);
});

test('a line is as long as the changes in it', async () => {
  const etcd = await FakeEtcd.start();
  const { mirror, heard } = await mirrored(etcd);
  // More than the 64 Mi characters that a document may have elsewhere.
  const value = 'x'.repeat(51 * 1024 * 1024);
  etcd.tell('/v1/a', value, 2);
  await reached(mirror, 2);
  expect(mirror.ledger.get('/v1/a')?.value.length).toBe(value.length);
  expect([heard, etcd.begun]).toEqual([[[2, 1]], [2]]);
});

test('after a line that cannot be read, all is read again, and the watch goes on from there', async () => {
  const etcd = await FakeEtcd.start();
  const { mirror, heard } = await mirrored(etcd);
  etcd.state = { revision: 9, entries: { '/v1/b': 'two' } };
  etcd.say('{"result":{"events":5}}');
  await reached(mirror, 9);
  expect(mirror.ledger.get('/v1/b')).toMatchObject({ value: 'two' });
  await expect.poll(() => etcd.begun.at(-1)).toBe(10);
  expect(mirror.trouble).toBeUndefined();
  expect(heard).toMatchObject([{ code: 'MESH_STORE_COMPACTED' }]);
});
