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
  ['a-name-of-some-length', 'pending: nobody answers', '1'],
  ['b', 'ready', '1000'],
];

function lines(rows: readonly Row[], width?: number): string[] {
  return table(rows, COLUMNS, { width, paint: plain }).split('\n');
}

describe('a table', () => {
  test('is as wide as its rows in a pipe', () => {
    expect(lines(ROWS)).toEqual([
      'NAME                   STATE                       N',
      'a-name-of-some-length  pending: nobody answers     1',
      'b                      ready                    1000',
      '',
    ]);
  });

  test('shortens the widest flexible column first', () => {
    expect(`\n${lines(ROWS, 45).join('\n')}`).toMatchInlineSnapshot(`
      "
      NAME                STATE                   N
      a-name-of-some-le…  pending: nobody an…     1
      b                   ready                1000
      "
    `);
  });

  test('leaves a flexible column enough to say something', () => {
    expect(lines(ROWS, 5)[1]).toBe('a-name-…  pending…     1');
  });

  test('without rows is nothing', () => {
    expect(lines([])).toEqual(['']);
  });

  test('shows no control characters of others', () => {
    expect(lines([['\x1b]0;title\x07', 'two\nlines', '\u202e1']])[1]).toBe('?]0;title?  two lines  ?1');
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
