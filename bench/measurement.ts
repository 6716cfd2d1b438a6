/** What a benchmark says: a figure, the yardstick that was measured beside it, and the budget that it has. */

export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ms' | 'MB' | '%' | 'Gbit/s' | 'packets' | 'steps';
  /** The same by other means, in the same run. */
  readonly yardstick?: number;
  /** Median of the pairs' own ratios, value to yardstick. */
  readonly ratio?: number;
  readonly budget: Budget;
  readonly ok: boolean;
  /** The least and the greatest that was seen. */
  readonly spread: readonly [least: number, greatest: number];
}

export interface Budget {
  readonly of: 'value' | 'ratio';
  readonly atMost?: number;
  readonly atLeast?: number;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** @param share 0.99 for p99 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export async function timed(body: () => unknown): Promise<number> {
  const startMs = performance.now();
  await body();
  return performance.now() - startMs;
}

type Named = Pick<Measurement, 'name' | 'unit' | 'budget'>;

/** Of values alone; `value` may be another figure of them than the median. */
export function measured(named: Named, values: readonly number[], value = median(values)): Measurement {
  return { ...named, value: rounded(value), ok: holds(named.budget, value, undefined), spread: spreadOf(values) };
}

/** Of pairs, each of ours and theirs in one run. */
export function compared(named: Named, pairs: readonly (readonly [ours: number, theirs: number])[]): Measurement {
  const ours = pairs.map(([mine]) => mine);
  const value = median(ours);
  const ratio = median(pairs.map(([mine, theirs]) => mine / theirs));
  return {
    ...named,
    value: rounded(value),
    yardstick: rounded(median(pairs.map(([, theirs]) => theirs))),
    ratio: rounded(ratio),
    ok: holds(named.budget, value, ratio),
    spread: spreadOf(ours),
  };
}

function holds({ of, atMost = Infinity, atLeast = -Infinity }: Budget, value: number, ratio = Number.NaN): boolean {
  const figure = of === 'value' ? value : ratio;
  return figure <= atMost && figure >= atLeast;
}

function spreadOf(values: readonly number[]): readonly [number, number] {
  return [rounded(Math.min(...values)), rounded(Math.max(...values))];
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** One line for people. */
export function formatMeasurement({ name, value, unit, yardstick, ratio, budget, ok, spread }: Measurement): string {
  const beside = yardstick === undefined ? '' : `, yardstick ${yardstick} ${unit}, ratio ${ratio}`;
  const limit = budget.atMost === undefined ? `at least ${budget.atLeast}` : `at most ${budget.atMost}`;
  const verdict = ok ? 'holds' : 'MISSED';
  return `${verdict.padEnd(6)}  ${name}: ${value} ${unit} (${spread[0]} to ${spread[1]})${beside}; budget ${budget.of} ${limit}`;
}
