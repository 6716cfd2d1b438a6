/** Tables fit the terminal, and durations are short. */
import { describe, expect, test } from 'vitest';
import { plain } from './color.ts';
import { durationText } from './duration.ts';
import { type Column, table } from './table.ts';

type Row = readonly [string, string, string];

const COLUMNS: readonly Column<Row>[] = [
  { title: 'NAME', text: (row) => row[0], flexible: true },
  { title: 'STATE', text: (row) => row[1], flexible: true },
  { title: 'N', text: (row) => row[2], align: 'right' },
];

const ROWS: readonly Row[] = [
  ['a-name-of-some-length', 'pending: no host answers', '1'],
  ['b', 'ready', '1000'],
];

function lines(rows: readonly Row[], width?: number): string[] {
  return table(rows, COLUMNS, { width, paint: plain }).split('\n');
}

describe('a table', () => {
  test('in a pipe is as wide as its rows', () => {
    expect(lines(ROWS)).toEqual([
      'NAME                   STATE                        N',
      'a-name-of-some-length  pending: no host answers     1',
      'b                      ready                     1000',
      '',
    ]);
  });

  test('shortens the widest flexible column first', () => {
    expect(`\n${lines(ROWS, 45).join('\n')}`).toMatchInlineSnapshot(`
      "
      NAME                STATE                   N
      a-name-of-some-le…  pending: no host a…     1
      b                   ready                1000
      "
    `);
  });

  test('leaves 8 characters of a flexible column', () => {
    expect(lines(ROWS, 5)[1]).toBe('a-name-…  pending…     1');
  });

  test('without rows is empty', () => {
    expect(lines([])).toEqual(['']);
  });

  test('replaces control characters', () => {
    expect(lines([['\x1b]0;title\x07', 'two\nlines', '\u202e1']])[1]).toBe('\\x1b]0;title\\x07  two lines  \\u{202e}1');
  });
});

test.each([
  [0.4, '0 s'],
  [59, '59 s'],
  [190, '3 min'],
  [7200, '2 h'],
  [7500, '2 h 5 min'],
  [90_000, '1 d 1 h'],
  [172_800, '2 d'],
])('%d seconds are %s', (seconds, text) => {
  expect(durationText(seconds)).toBe(text);
});
