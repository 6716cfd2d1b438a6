/** Which history of etcd is dropped: that of so many changes stays, whatever other programs write. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { EtcdCluster, type EtcdMember } from '../../../test/kit/etcd.ts';
import { systemClock } from '../../model/clock.ts';
import { EtcdStore } from './etcd-store.ts';
import { HistoryMarks } from './history-marks.ts';

const DEADLINE_MS = 20_000;

let cluster: EtcdCluster;
let member: EtcdMember;
beforeAll(async () => {
  cluster = await EtcdCluster.single();
  [member] = cluster.members as [EtcdMember];
});
afterAll(() => cluster.close());

test('the last changes stay, and at most a fifth more', () => {
  const marks = new HistoryMarks(100);
  let dropped = 0;
  // The revisions of this store are the multiples of seven: others have those between them.
  for (let change = 1; change <= 1_000; change++) {
    dropped = marks.changed(change * 7) ?? dropped;
    const kept = change - dropped / 7;
    expect(kept).toBeLessThanOrEqual(120);
    if (dropped > 0) expect(kept).toBeGreaterThanOrEqual(100);
  }
  expect(dropped).toBeGreaterThan(0);
});

test('what others write into the same etcd drops no history of the store; its own changes do', async () => {
  const store = await EtcdStore.open(cluster.place, { clock: systemClock, historyRevisions: 20 });
  const put = (value: string) => store.txn([], [{ put: '/v1/a', value }]);
  const isKept = (revision: number) => member.ctl('get', '/v1/a', `--rev=${revision}`).status === 0;
  const { revision: first } = await put('1');
  const [{ host, port } = { host: '', port: 0 }] = cluster.place.endpoints;
  const body = JSON.stringify({ key: Buffer.from('/other').toString('base64') });
  for (let other = 0; other < 40; other++)
    expect((await fetch(`http://${host}:${port}/v3/kv/put`, { method: 'POST', body })).status).toBe(200);
  for (let change = 0; change < 18; change++) await put(String(change));
  expect(isKept(first)).toBe(true);
  for (let change = 0; change < 30; change++) await put(String(change));
  await vi.waitFor(() => expect(isKept(first)).toBe(false), DEADLINE_MS);
  await store.close();
});
