/** The catalogue of deliberate bugs fits the source; `npm run bugs` tries whether each is caught. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Bug, catalogue, changed } from './bugs/bug.ts';

const ROOT = join(import.meta.dirname, '..');
const BUGS = await catalogue();
const TABLE = readFileSync(join(ROOT, 'docs/testing.md'), 'utf8');

test('there are at least ten', () => {
  expect(BUGS.size).toBeGreaterThanOrEqual(10);
});

test.each([...BUGS])('%s changes what is in the source, exactly once', (_, { changes }: Bug) => {
  for (const change of changes) {
    const text = readFileSync(join(ROOT, change.file), 'utf8');
    expect(changed(text, change)).not.toBe(text);
  }
});

test.each([...BUGS])('%s is in the table of docs/testing.md', (_, { title }: Bug) => {
  expect(TABLE).toContain(`| ${title} |`);
});
