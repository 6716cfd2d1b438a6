/** The properties of one object: one label and one value on each line, the values aligned. */
import type { Paint } from './color.ts';
import { printable } from './printable.ts';

/** One line for each pair; pairs without a value are left out. */
export function properties(
  pairs: readonly (readonly [label: string, value: string | undefined])[],
  paint: Paint,
): string {
  const known = pairs.filter(([, value]) => value !== undefined);
  const width = Math.max(...known.map(([label]) => label.length));
  return known
    .map(([label, value = '']) => `${paint('quiet', label.padEnd(width))}  ${printable(value)}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}
