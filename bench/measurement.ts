/** The result of a benchmark: a figure, its yardstick from the same run, and its budget. */

/** One figure, as `--json` prints it. */
export interface Measurement {
  /** Names the figure in `--against`, too. */
  readonly name: string;
  readonly value: number;
  readonly unit: 'ms' | 'µs' | 'MB' | 'kB' | '%' | 'Gbit/s' | 'GiB/s' | 'packets' | 'steps' | 'networks';
  /** The value of another program that does the same work, in the same run; null if there is none. */
  readonly yardstick: number | null;
  /** Median of the pairs' ratios, value to yardstick; null without a yardstick. */
  readonly ratio: number | null;
  readonly budget: Budget;
  readonly ok: boolean;
  /** The least and the greatest value seen, of what the budget limits: the value or the ratio. */
  readonly spread: readonly [least: number, greatest: number];
}

/** A limit of a measurement. */
export interface Budget {
  /** What is limited. */
  readonly of: 'value' | 'ratio';
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** The middle value, the upper one of two. NaN for no values. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The value below which `share` of the values are. @param share 0.99 for p99 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** How many milliseconds `body` takes. */
export async function timed(body: () => unknown): Promise<number> {
  const startMs = performance.now();
  await body();
  return performance.now() - startMs;
}

type Named = Pick<Measurement, 'name' | 'unit' | 'budget'>;

/** A measurement without a yardstick. @param value the figure of `values` that the budget limits; by default the median */
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

/** A measurement with a yardstick. @param pairs Meshwork's value and the yardstick's, measured one after the other */
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

/** The figure that the budget limits: the value or the ratio. */
export function figureOf({ budget, value, ratio }: Measurement): number {
  return budget.of === 'value' ? value : (ratio ?? Number.NaN);
}
