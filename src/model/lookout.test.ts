/** Many changes cause few looks, and the last change is seen. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../test/kit/manual-clock.ts';
import { Lookout } from './lookout.ts';

/** A lookout whose looks end when the test says so. */
function lookout() {
  const clock = new ManualClock();
  const ends: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  const errors: unknown[] = [];
  const out = new Lookout({
    clock,
    look: () => new Promise<void>((resolve, reject) => void ends.push({ resolve, reject })),
    onError: (error) => errors.push(error),
  });
  return { clock, ends, errors, out };
}

test('a burst of changes causes one look', async () => {
  const { clock, ends, out } = lookout();
  for (let change = 0; change < 10_000; change++) out.soon();
  await clock.pass(1_000);
  expect(ends.length).toBe(1);
});

test('changes during a look cause one more look, after a pause', async () => {
  const { clock, ends, out } = lookout();
  out.soon();
  await clock.pass(20);
  for (let change = 0; change < 10_000; change++) out.soon();
  await clock.pass(40);
  expect(ends.length).toBe(1);
  ends[0]?.resolve();
  await clock.pass(359);
  expect(ends.length).toBe(1);
  await clock.pass(1);
  expect(ends.length).toBe(2);
  ends[1]?.resolve();
  await clock.pass(10_000);
  expect(ends.length).toBe(2);
});

test('a look that fails is told, and the next change causes a look', async () => {
  const { clock, ends, errors, out } = lookout();
  out.soon();
  await clock.pass(20);
  ends[0]?.reject('no route');
  await clock.pass(0);
  expect(errors).toEqual(['no route']);
  out.soon();
  await clock.pass(20);
  expect(ends.length).toBe(2);
});

test('a closed lookout looks no more', async () => {
  const { clock, ends, out } = lookout();
  out.soon();
  out.close();
  out.soon();
  await clock.pass(1_000);
  expect(ends).toEqual([]);
});
