/** Tables that fit the terminal: when a row is too long, the widest flexible column is shortened first. */
import type { Paint, Tone } from './color.ts';
import { printable } from './printable.ts';

/** One column: its title, and how a row's cell is made. */
export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly align?: 'right';
  /** May be shortened. Columns that people copy (addresses, ids) are not flexible. */
  readonly flexible?: boolean;
  /** The colour of the cell; undefined for none. */
  readonly tone?: (row: Row) => Tone | undefined;
}

/** Where a table is printed. */
export interface Page {
  /** Columns of the terminal; undefined in a pipe, where nothing is shortened. */
  readonly width: number | undefined;
  readonly paint: Paint;
}

const GAP = '  ';
/** A flexible column is not made narrower than this: the rest of its text must still be useful. */
const MIN_FLEXIBLE = 8;

/** A line of titles and a line for each row, each ended by a newline. Without rows the result is empty: no titles either. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], page: Page): string {
  if (rows.length === 0) return '';
  const cells = columns.map((column) => rows.map((row) => printable(column.text(row))));
  const widths = columnWidths(columns, cells, page.width);
  const line = (texts: readonly string[], tones: readonly (Tone | undefined)[]): string => {
    const parts = columns.map((column, index) => {
      const width = widths[index] ?? 0;
      const text = shorten(texts[index] ?? '', width);
      const last = index === columns.length - 1 && column.align !== 'right';
      const padding = last ? '' : ' '.repeat(width - lengthOf(text));
      const tone = tones[index];
      const shown = tone === undefined || text === '' ? text : page.paint(tone, text);
      return column.align === 'right' ? padding + shown : shown + padding;
    });
    return `${parts.join(GAP).trimEnd()}\n`;
  };
  const titles = line(
    columns.map((column) => column.title),
    columns.map(() => 'heading'),
  );
  const body = rows.map((row, index) =>
    line(
      cells.map((column) => column[index] ?? ''),
      columns.map((column) => column.tone?.(row)),
    ),
  );
  return titles + body.join('');
}

function columnWidths<Row>(
  columns: readonly Column<Row>[],
  cells: readonly string[][],
  width: number | undefined,
): number[] {
  const widths = columns.map(({ title }, index) =>
    (cells[index] ?? []).reduce((widest, text) => Math.max(widest, lengthOf(text)), title.length),
  );
  if (width === undefined) return widths;
  const total = () => widths.reduce((sum, each) => sum + each + GAP.length, -GAP.length);
  while (total() > width) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      const room = widths[index] ?? 0;
      if (column.flexible && room > MIN_FLEXIBLE && room > (widths[widest] ?? 0)) widest = index;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function shorten(text: string, width: number): string {
  return lengthOf(text) <= width ? text : `${[...text].slice(0, width - 1).join('')}…`;
}

/** Code points. None of the characters that we print is wide or combining, so each takes one cell of a terminal. */
function lengthOf(text: string): number {
  return [...text].length;
}
