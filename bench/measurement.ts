/** What a benchmark says: a figure, the yardstick that was measured beside it, and the budget that it has. */

export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: 'ms' | 'µs' | 'MB' | 'kB' | '%' | 'Gbit/s' | 'GiB/s' | 'packets' | 'steps';
  /** The same by other means, in the same run; null where there is none. */
  readonly yardstick: number | null;
  /** Median of the pairs' own ratios, value to yardstick. */
  readonly ratio: number | null;
  readonly budget: Budget;
  readonly ok: boolean;
  /** The least and the greatest that was seen, of the value or of the ratio: of what the budget is of. */
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
  return {
    ...named,
    value: rounded(value),
    yardstick: null,
    ratio: null,
    ok: holds(named.budget, value),
    spread: spreadOf(values),
  };
}

/** Of pairs, each of ours and theirs in one run. */
export function compared(named: Named, pairs: readonly (readonly [ours: number, theirs: number])[]): Measurement {
  const ours = pairs.map(([mine]) => mine);
  const ratios = pairs.map(([mine, theirs]) => mine / theirs);
  const figures = named.budget.of === 'value' ? ours : ratios;
  return {
    ...named,
    value: rounded(median(ours)),
    yardstick: rounded(median(pairs.map(([, theirs]) => theirs))),
    ratio: rounded(median(ratios)),
    ok: holds(named.budget, median(figures)),
    spread: spreadOf(figures),
  };
}

function holds({ atMost = Infinity, atLeast = -Infinity }: Budget, figure: number): boolean {
  return figure <= atMost && figure >= atLeast;
}

function spreadOf(values: readonly number[]): readonly [number, number] {
  return [rounded(Math.min(...values)), rounded(Math.max(...values))];
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** What the budget is of. */
export function figureOf({ budget, value, ratio }: Measurement): number {
  return budget.of === 'value' ? value : (ratio ?? Number.NaN);
}
