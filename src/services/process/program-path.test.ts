/** In which directories a program is looked for. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findProgram } from './program-path.ts';

let top: string;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'mw-program-path-'));
  for (const directory of ['first', 'second', 'third']) mkdirSync(join(top, directory));
  vi.stubEnv('PATH', `${join(top, 'first')}::${join(top, 'second')}`);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(top, { recursive: true });
});

function put(directory: string): string {
  const file = join(top, directory, 'tool');
  writeFileSync(file, '');
  chmodSync(file, 0o755);
  return file;
}

test('the first program in PATH is taken, and other directories come after', () => {
  expect(findProgram('tool', [join(top, 'third')])).toBeUndefined();
  const third = put('third');
  expect(findProgram('tool')).toBeUndefined();
  expect(findProgram('tool', [join(top, 'third')])).toBe(third);
  const second = put('second');
  expect(findProgram('tool', [join(top, 'third')])).toBe(second);
  const first = put('first');
  expect(findProgram('tool')).toBe(first);
});

test('without a PATH, only the other directories are searched', () => {
  vi.stubEnv('PATH', undefined);
  expect(findProgram('tool')).toBeUndefined();
});
