/** Prints measurements as a table, and what became worse or better since an earlier run. Pure. */
import type { Paint } from '../src/cli/print/color.ts';
import { type Column, table } from '../src/cli/print/table.ts';
import { figureOf, type Measurement } from './measurement.ts';

const COLUMNS: readonly Column<Measurement>[] = [
  {
    title: '',
    text: ({ ok }) => (ok ? 'ok' : 'MISSED'),
    tone: ({ ok }) => (ok ? 'good' : 'bad'),
  },
  { title: 'WHAT', text: ({ name }) => name, flexible: true },
  { title: 'VALUE', text: ({ value, unit }) => `${value} ${unit}`, align: 'right' },
  {
    title: 'YARDSTICK',
    text: ({ yardstick, unit }) => (yardstick === null ? '' : `${yardstick} ${unit}`),
    align: 'right',
  },
  { title: 'RATIO', text: ({ ratio }) => (ratio === null ? '' : `${ratio} ×`), align: 'right' },
  { title: 'SPREAD', text: spreadText, align: 'right' },
  { title: 'BUDGET', text: budgetText },
];

/** A table with one row for each measurement. */
export function formatMeasurements(all: readonly Measurement[], paint: Paint): string {
  return table(all, COLUMNS, { width: undefined, paint });
}

function spreadText({ budget, spread, unit }: Measurement): string {
  return `${spread[0]} to ${spread[1]} ${budget.of === 'ratio' ? '×' : unit}`;
}

function budgetText({ budget, unit }: Measurement): string {
  const suffix = budget.of === 'ratio' ? '×' : unit;
  return budget.atMost === undefined ? `at least ${budget.atLeast} ${suffix}` : `at most ${budget.atMost} ${suffix}`;
}

/**
 * One line for each measurement whose spreads do not overlap, the worse ones first. Measurements with overlapping spreads
 * cannot be compared.
 */
export function formatChanges(before: readonly Measurement[], now: readonly Measurement[]): string {
  const changes = now.flatMap((measurement) => {
    const old = before.find(({ name }) => name === measurement.name);
    return old === undefined || overlap(old.spread, measurement.spread) ? [] : [changeOf(old, measurement)];
  });
  if (changes.length === 0) return 'nothing changed beyond the spread\n';
  return changes
    .toSorted((a, b) => Number(b.worse) - Number(a.worse))
    .map(({ line }) => `${line}\n`)
    .join('');
}

function changeOf(old: Measurement, now: Measurement): { readonly worse: boolean; readonly line: string } {
  const [was, is] = [figureOf(old), figureOf(now)];
  const worse = now.budget.atMost === undefined ? is < was : is > was;
  const suffix = now.budget.of === 'ratio' ? '×' : now.unit;
  const spreads = `${spreadText(old)} before, ${spreadText(now)} now`;
  return { worse, line: `${worse ? 'worse ' : 'better'}  ${now.name}: ${was} → ${is} ${suffix} (${spreads})` };
}

function overlap(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] <= b[1] && b[0] <= a[1];
}
