/** A count that grew two minutes ago is no finding now. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { RecentCounts } from './recent-counts.ts';

test('a counter that has stopped counts for two minutes', async () => {
  const clock = new ManualClock();
  const recent = new RecentCounts(clock);
  recent.take({ drops: 5 });
  expect(recent.growth('drops', 17)).toBe(12);
  await clock.pass(60_000);
  recent.take({ drops: 17 });
  expect(recent.growth('drops', 17)).toBe(12);
  await clock.pass(60_000);
  recent.take({ drops: 17 });
  await clock.pass(60_000);
  recent.take({ drops: 17 });
  expect(recent.growth('drops', 17)).toBe(0);
  expect(recent.growth('drops', 18)).toBe(1);
  // The rules were written again.
  expect(recent.growth('drops', 2)).toBe(2);
});
