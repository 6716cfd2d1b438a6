/** Making and reading the boot instance. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
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

test('a file that is not an instance is an error with its remedy', () => {
  writeFileSync(join(tree, 'instance'), 'junk\n');
  expect(() => bootInstance({ runDirectory: tree })).toThrow(
    expect.objectContaining({ code: 'MESH_MACHINE_UNREADABLE', remedy: expect.stringContaining('Delete') }),
  );
});

test('a directory that cannot be made is an error', () => {
  writeFileSync(join(tree, 'run'), '');
  expect(() => bootInstance({ runDirectory: join(tree, 'run/meshwork') })).toThrow(
    expect.objectContaining({ code: 'MESH_MACHINE_UNREADABLE' }),
  );
});
