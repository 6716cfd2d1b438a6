/** A ledger that follows another place, in which others write, too: revisions without a change cost nothing. */
import { expect, test } from 'vitest';
import { Ledger } from './ledger.ts';
import type { WatchBatch } from './store.ts';

const EMPTY = { revision: 0, compacted: 0, entries: [], history: [] };

function batch(revision: number): WatchBatch {
  const key = `/v1/${revision}`;
  return { revision, changes: [{ put: { key, value: '', createRevision: revision, modRevision: revision } }] };
}

/** Watches a ledger. `heard` are the revisions that were delivered, and errors. */
function watched(ledger: Ledger, fromRevision: number) {
  const heard: unknown[] = [];
  ledger.watch(
    '/v1/',
    fromRevision,
    ({ revision }) => heard.push(revision),
    (error) => heard.push(error),
  );
  return heard;
}

test('a watch passes a billion revisions of others, and still goes back over them', async () => {
  const ledger = new Ledger(EMPTY, 10);
  const heard = watched(ledger, 1);
  ledger.follow([batch(1)], 1);
  await Promise.resolve();
  ledger.follow([batch(1_000_000_000)], 2_000_000_000);
  await Promise.resolve();
  expect([ledger.revision, ledger.compacted]).toEqual([2_000_000_000, 0]);
  ledger.follow([batch(2_000_000_001)], 2_000_000_001);
  await Promise.resolve();
  expect(heard).toEqual([1, 1_000_000_000, 2_000_000_001]);
  const later = watched(ledger, 2);
  await Promise.resolve();
  expect(later).toEqual([1_000_000_000, 2_000_000_001]);
});

test('history is cut by the number of its batches, and a watch from before the cut is told so', async () => {
  const ledger = new Ledger(EMPTY, 10);
  for (let at = 1; at <= 12; at++) ledger.follow([batch(at * 100)], at * 100);
  expect(ledger.compacted).toBe(200);
  const [lost, kept] = [watched(ledger, 200), watched(ledger, 201)];
  await Promise.resolve();
  expect(lost).toMatchObject([{ code: 'MESH_STORE_COMPACTED' }]);
  expect(kept).toEqual([300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200]);
});
