import { expect, test } from 'vitest';
import { ActiveIds } from './active-ids.ts';

test('each network gets the lowest number that is free', () => {
  const ids = new ActiveIds();
  expect([ids.take(), ids.take(), ids.take()]).toEqual([1, 2, 3]);
  ids.hold(3);
  for (const id of [1, 2, 3]) ids.done(id);
  expect([ids.take(), ids.take(), ids.take()]).toEqual([1, 2, 4]);
});

test('a number that a start under way has stays taken when all records are read again', () => {
  const ids = new ActiveIds();
  ids.hold(1);
  const underWay = ids.take();
  ids.clear();
  ids.hold(1);
  expect(ids.take()).toBe(3);
  ids.hold(underWay);
  ids.done(underWay);
  ids.done(3);
  expect([underWay, ids.take()]).toEqual([2, 3]);
});
