/** Answers in the form that virsh prints: tables, properties, and an empty line after each. */
import { printable } from '../print/printable.ts';

/** virsh writes the values of properties from this column on. */
const PROPERTY_WIDTH = 15;

/** A table with a rule below its titles. Without rows, titles and rule stand alone. */
export function netTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [titles, ...rows.map((row) => row.map(printable))];
  const widths = titles.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => ` ${column === row.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + 2)}`).join('');
  const rule = '-'.repeat(widths.reduce((sum, width) => sum + width + 3, 0));
  const [head = '', ...body] = cells.map(line);
  return `${[head, rule, ...body].join('\n')}\n\n`;
}

/** A property a line. */
export function netProperties(rows: readonly (readonly [string, string | undefined])[]): string {
  const lines = rows.flatMap(([name, value]) =>
    value === undefined ? [] : [`${`${name}:`.padEnd(PROPERTY_WIDTH)} ${printable(value)}\n`],
  );
  return `${lines.join('')}\n`;
}

/** A sentence. */
export function netSaid(text: string): string {
  return `${printable(text)}\n\n`;
}

/** `yes` or `no`. */
export function yesOrNo(is: boolean): string {
  return is ? 'yes' : 'no';
}
