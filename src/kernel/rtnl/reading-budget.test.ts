/** Reading events never takes all of a process's time, and short bursts are read at once. */
import { expect, test } from 'vitest';
import { ReadingBudget } from './reading-budget.ts';

/** Reads in rounds of 5 ms for 10 s, with the pauses. @returns the time spent reading before the first pause, and in all */
function flood(): { readonly firstMs: number; readonly allMs: number } {
  const budget = new ReadingBudget();
  let [nowMs, firstMs, allMs] = [0, Number.NaN, 0];
  while (nowMs < 10_000) {
    nowMs += 5;
    allMs += 5;
    const pauseMs = budget.spend(5, nowMs);
    if (pauseMs > 0 && Number.isNaN(firstMs)) firstMs = allMs;
    nowMs += pauseMs;
  }
  return { firstMs, allMs };
}

test('a burst is read without a pause, and a flood takes a quarter of the time', () => {
  const { firstMs, allMs } = flood();
  expect(firstMs).toBeGreaterThan(250);
  expect(firstMs).toBeLessThan(400);
  expect(allMs).toBeGreaterThan(2_500);
  expect(allMs).toBeLessThan(3_000);
});

test('few events never wait, however long they come', () => {
  const budget = new ReadingBudget();
  for (let nowMs = 0; nowMs < 60_000; nowMs += 100) expect(budget.spend(20, nowMs)).toBe(0);
});

test('one long reading is followed by a pause of a second at most', () => {
  expect(new ReadingBudget().spend(60_000, 1_000)).toBe(1_000);
});
