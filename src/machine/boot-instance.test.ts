/** Making and reading the boot instance. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bootInstance } from './boot-instance.ts';

let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'meshwork-instance-'));
});

afterEach(() => rmSync(tree, { recursive: true }));

test('is made once, kept while the directory exists, and another one after a reboot', () => {
  const runDirectory = join(tree, 'run/meshwork');
  const first = bootInstance({ runDirectory });
  expect(first).toMatch(/^[0-9a-f]{16}$/);
  expect(bootInstance({ runDirectory })).toBe(first);
  expect(readdirSync(runDirectory)).toEqual(['instance']);
  rmSync(runDirectory, { recursive: true });
  expect(bootInstance({ runDirectory })).not.toBe(first);
});

test.each([
  ['junk', () => writeFileSync(join(tree, 'instance'), 'junk\n')],
  ['nothing', () => writeFileSync(join(tree, 'instance'), '')],
  ['a directory', () => mkdirSync(join(tree, 'instance/sub'), { recursive: true })],
])('a file that holds %s is made anew', (_, damage) => {
  damage();
  const made = bootInstance({ runDirectory: tree });
  expect(made).toMatch(/^[0-9a-f]{16}$/);
  expect(bootInstance({ runDirectory: tree })).toBe(made);
});

test('a directory that cannot be made is an error', () => {
  writeFileSync(join(tree, 'run'), '');
  expect(() => bootInstance({ runDirectory: join(tree, 'run/meshwork') })).toThrow(
    expect.objectContaining({ code: 'MESH_MACHINE_UNREADABLE' }),
  );
});
