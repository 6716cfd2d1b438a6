import { expect, test } from 'vitest';
import { droppedInQueues, type LostPings, type QueueDrop, QueueDrops, unexplained } from './queue-drops.ts';

function lost(firstMs: number, pings: number): LostPings {
  return { firstMs, lastMs: firstMs + (pings - 1) * 4, pings };
}

function drop(fromMs: number, packets: number): QueueDrop {
  return { fromMs, toMs: fromMs + 20, packets };
}

/** The unexplained losses of one pair. */
function unexplainedOf(losses: readonly LostPings[], drops: readonly QueueDrop[]): readonly LostPings[] | undefined {
  return unexplained([losses], drops)[0];
}

test('a drop explains as many pings as packets, of those that were under way', () => {
  expect(unexplainedOf([lost(100, 3)], [drop(110, 3)])).toEqual([]);
  expect(unexplainedOf([lost(100, 3)], [drop(110, 2)])).toEqual([lost(100, 3)]);
  expect(unexplainedOf([lost(100, 3)], [drop(110, 2), drop(150, 1)])).toEqual([]);
  // The drop was over before, or came long after.
  expect(unexplainedOf([lost(100, 3)], [drop(60, 99)])).toEqual([lost(100, 3)]);
  expect(unexplainedOf([lost(100, 3)], [drop(2_000, 99)])).toEqual([lost(100, 3)]);
});

test('a dropped packet explains one ping, and not one of each loss', () => {
  expect(unexplainedOf([lost(100, 2), lost(130, 2)], [drop(120, 3)])).toEqual([lost(130, 2)]);
});

test('a dropped packet explains one ping, and not one of each pair', () => {
  expect(unexplained([[lost(100, 2)], [], [lost(104, 2)]], [drop(110, 3)])).toEqual([[], [], [lost(104, 2)]]);
  expect(unexplained([[lost(100, 2)], [], [lost(104, 2)]], [drop(110, 4)])).toEqual([[], [], []]);
});

test('a mesh that is cut off is not excused by a flood', () => {
  const flood = Array.from({ length: 100 }, (_, index) => drop(index * 20, 1_000));
  expect(unexplainedOf([lost(500, 21)], flood)).toEqual([lost(500, 21)]);
  const each = Array.from({ length: 30 }, (_, index) => lost(index * 60, 1));
  expect(unexplainedOf(each, flood)).toEqual(each);
  expect(unexplainedOf(each.slice(0, 20), flood)).toEqual([]);
  // A pair that lost few is excused beside it.
  expect(unexplained([each, each.slice(0, 3)], flood)).toEqual([each, []]);
});

test('the counter is read once for many pings, and at the end in any case', () => {
  const counts = [5, 5, 9, 12];
  const drops = new QueueDrops(0, () => counts.shift() ?? Number.NaN);
  for (const nowMs of [4, 8, 20, 24, 28]) expect(drops.look(nowMs)).toEqual([]);
  expect(drops.look(41)).toEqual([{ fromMs: 20, toMs: 41, packets: 4 }]);
  expect(drops.look(42, { now: true }).at(-1)).toEqual({ fromMs: 41, toMs: 42, packets: 3 });
});

test('this kernel counts', () => {
  expect(droppedInQueues()).toBeGreaterThanOrEqual(0);
});
