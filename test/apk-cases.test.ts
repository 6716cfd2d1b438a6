/** Each case of Alpine's formats has a test, which is where the table says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { APK_CASES } from './apk-cases.ts';

const TOP = join(import.meta.dirname, '..');
const sources = new Map<string, string>();

function sourceOf(file: string): string {
  const known = sources.get(file) ?? readFileSync(join(TOP, file), 'utf8');
  sources.set(file, known);
  return known;
}

test.each(Object.entries(APK_CASES))('every case of the list %s has its test', (_, cases) => {
  const missing = cases.filter(([, file, name]) => !sourceOf(file).includes(name));
  expect(missing).toEqual([]);
  const names = cases.map(([what]) => what);
  expect(new Set(names).size).toBe(names.length);
});
