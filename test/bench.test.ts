/** How the benchmark evaluates figures; `npm run bench` measures them. */
import { expect, test } from 'vitest';
import { compared, type Measurement, measured } from '../bench/measurement.ts';
import { formatChanges, formatMeasurements } from '../bench/report.ts';
import { interleaved } from '../bench/run.ts';
import { plain } from '../src/cli/print/color.ts';

const ratioBudget = { name: 'join', unit: 'ms', budget: { of: 'ratio', atMost: 0.8 } } as const;

test("a ratio is the median of the pairs' ratios, not the ratio of two medians", () => {
  // The machine became ever slower meanwhile; ours always took half the time.
  const slowing = [1, 2, 10, 20, 100].map((ms): [number, number] => [ms, 2 * ms]);
  expect(compared(ratioBudget, slowing)).toEqual({
    ...ratioBudget,
    value: 10,
    yardstick: 20,
    ratio: 0.5,
    ok: true,
    spread: [0.5, 0.5],
  });
});

test('a missed budget is not ok', () => {
  expect(compared(ratioBudget, [[9, 10]]).ok).toBe(false);
  expect(measured({ name: 'lost', unit: 'packets', budget: { of: 'value', atMost: 0 } }, [1]).ok).toBe(false);
  expect(measured({ name: 'x', unit: 'Gbit/s', budget: { of: 'value', atLeast: 2 } }, [1, 3, 3]).ok).toBe(true);
});

test('measurements are printed as a table', () => {
  const rows = [
    compared(ratioBudget, [[9, 10]]),
    measured({ name: 'mesh --version', unit: 'ms', budget: { of: 'value', atMost: 80 } }, [40, 50, 60]),
  ];
  expect(formatMeasurements(rows, plain)).toBe(
    [
      '        WHAT            VALUE  YARDSTICK  RATIO        SPREAD  BUDGET',
      'MISSED  join             9 ms      10 ms  0.9 ×  0.9 to 0.9 ×  at most 0.8 ×',
      'ok      mesh --version  50 ms                     40 to 60 ms  at most 80 ms',
      '',
    ].join('\n'),
  );
});

test('two runs differ when their spreads do not overlap; better and worse follow the budget', () => {
  const of = (name: string, budget: Measurement['budget'], ...values: number[]) =>
    measured({ name, unit: 'ms', budget }, values);
  const least = { of: 'value', atMost: 80 } as const;
  const most = { of: 'value', atLeast: 80 } as const;
  const before = [
    of('a', least, 10, 11, 12),
    of('b', least, 10, 11, 12),
    of('c', most, 10, 11, 12),
    of('gone', least, 1),
  ];
  const now = [of('a', least, 12, 14, 16), of('b', least, 20, 21, 22), of('c', most, 20, 21, 22), of('new', least, 1)];
  expect(formatChanges(before, now)).toBe(
    [
      'worse   b: 11 → 21 ms (10 to 12 ms before, 20 to 22 ms now)',
      'better  c: 11 → 21 ms (10 to 12 ms before, 20 to 22 ms now)',
      '',
    ].join('\n'),
  );
  expect(formatChanges(before, before)).toBe('nothing changed beyond the spread\n');
});

test('pairs alternate which side begins, and an abort ends them between two measurements', async () => {
  const interrupt = new AbortController();
  const done: string[] = [];
  const run = { signal: interrupt.signal, stage: () => {} };
  const pairs = await interleaved(
    run,
    3,
    'x',
    () => done.push('ours'),
    () => done.push('theirs'),
  );
  expect(done).toEqual(['ours', 'theirs', 'theirs', 'ours', 'ours', 'theirs']);
  expect(pairs).toEqual([
    [1, 2],
    [4, 3],
    [5, 6],
  ]);
  const stopped = interleaved(
    run,
    3,
    'x',
    () => interrupt.abort(),
    () => done.push('too late'),
  );
  await expect(stopped).rejects.toThrow('aborted');
  expect(done).not.toContain('too late');
});
