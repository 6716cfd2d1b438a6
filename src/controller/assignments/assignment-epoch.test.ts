/** The term of a run of host0, also where the store takes no writes at first. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { AssignmentEpoch } from './assignment-epoch.ts';

const NODE = '10eff964' as MachineId;

/** A store on a disk that may be full. */
class FullStore extends MemoryStore {
  isFull = true;

  override async txn(...request: Parameters<MemoryStore['txn']>): ReturnType<MemoryStore['txn']> {
    if (this.isFull) throw new MeshError('MESH_STORE_BROKEN', 'the disk is full', { operation: 'write' });
    return super.txn(...request);
  }
}

test('on a full disk a run of host0 begins without a term, tells it once, and has one as soon as there is room', async () => {
  const store = new FullStore();
  const journal = new Journal(new ManualClock(), 'host0', 'host0');
  const told: string[] = [];
  journal.subscribe(({ kind }) => void told.push(kind));
  const epoch = await AssignmentEpoch.open({ store, journal, leap: () => [] });
  expect(await epoch.check(NODE, {})).toBe(false);
  expect([epoch.current, epoch.term]).toEqual([store.epoch, undefined]);
  expect(told).toEqual(['term not written']);
  store.isFull = false;
  const { term, current } = { term: 'of a history that the store has lost', current: store.epoch };
  expect(await epoch.check(NODE, {})).toBe(false);
  expect(epoch.term).toBeDefined();
  const known = { assignment: { epoch: current, revision: 0 }, term };
  expect(await epoch.check(NODE, known)).toBe(true);
});

test('a network that has become unreadable begins one other epoch, so that nodes lose nothing by an assignment without it', async () => {
  const store = new MemoryStore();
  const journal = new Journal(new ManualClock(), 'host0', 'host0');
  const begin = async (...unreadable: readonly number[]) =>
    (await AssignmentEpoch.open({ store, journal, leap: () => [], unreadable })).current;
  expect(await begin()).toBe(store.epoch);
  const second = await begin(0x1000);
  expect(second).not.toBe(store.epoch);
  expect(await begin(0x1000)).toBe(second);
  const third = await begin(0x1000, 0x1001);
  expect(third).not.toBe(second);
  // Once the networks have been given again, they can become unreadable again.
  expect(await begin()).toBe(third);
  expect(await begin(0x1000)).not.toBe(third);
});
