/** The list of long tests is current: a listed file that was moved fails here; vitest only prints a warning. */
import { expect, test } from 'vitest';
import { MISSING } from './longest-first.ts';

test('every listed test file exists', () => {
  expect(MISSING).toEqual([]);
});
