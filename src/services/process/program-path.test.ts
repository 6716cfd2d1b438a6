/** In which directories a program is looked for. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findProgram, mustBeInstalled } from './program-path.ts';

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

test('a program that is missing is named with its packages, also behind setpriv', () => {
  expect(() => mustBeInstalled(['radvd', '--nodaemon'])).toThrow(
    expect.objectContaining({
      code: 'MESH_PROCESS_NOT_STARTED',
      message: 'cannot be started: radvd is not installed',
      remedy: expect.stringContaining('`mesh system image node --package radvd`'),
    }),
  );
  const tool = put('first');
  expect(() => mustBeInstalled(['tool', 'word'])).not.toThrow();
  expect(() => mustBeInstalled([tool])).not.toThrow();
  expect(() => mustBeInstalled([`${tool}-gone`])).toThrow('tool-gone is not installed');
  expect(() => mustBeInstalled(['setpriv', '--reuid=1', 'tool'])).toThrow('setpriv is not installed');
  writeFileSync(join(top, 'first/setpriv'), '');
  expect(() => mustBeInstalled(['setpriv', '--reuid=1', 'tool', '-x'])).not.toThrow();
  expect(() => mustBeInstalled(['setpriv', '--reuid=1', '--clear-groups', 'radvd', '-x'])).toThrow(
    'radvd is not installed',
  );
});
