/** Durations and outcomes of transactions, on a manual clock. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../test/kit/memory-store.ts';
import type { Store, TxnResult } from './store.ts';
import { TimedStore } from './timed-store.ts';

/** A store whose disk takes one transaction for each call of `take`. */
function slowStore() {
  const clock = new ManualClock();
  const inner: Store = new MemoryStore();
  const waiting: (() => void)[] = [];
  const slow: Store = Object.assign(Object.create(inner), {
    txn: async (...txn: Parameters<Store['txn']>): Promise<TxnResult> => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return inner.txn(...txn);
    },
  });
  const reports: string[] = [];
  const store = new TimedStore(
    slow,
    () => clock.nowMs(),
    (outcome, ms) => reports.push(`${outcome} ${ms}`),
  );
  return { clock, store, reports, take: () => waiting.shift()?.() };
}

test('each transaction is reported with its outcome and duration', async () => {
  const { clock, store, reports, take } = slowStore();
  const done = store.txn([], [{ put: '/a', value: '1' }]);
  await clock.pass(7);
  take();
  await done;
  const conflict = store.txn([{ key: '/a', modRevision: 0 }], []);
  take();
  await conflict;
  expect(reports).toEqual(['done 7', 'conflict 0']);
});

test('the store is stuck while a transaction has waited for more than half a minute', async () => {
  const { clock, store, take } = slowStore();
  const first = store.txn([], [{ put: '/a', value: '1' }]);
  await clock.pass(20_000);
  const second = store.txn([], [{ put: '/b', value: '1' }]);
  await clock.pass(10_000);
  expect(store.stuck).toBeUndefined();
  await clock.pass(1);
  expect(store.stuck).toBe('the store has not taken a change for half a minute');
  take();
  await first;
  expect(store.stuck).toBeUndefined();
  take();
  await second;
});
