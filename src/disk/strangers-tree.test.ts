import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { removeStrangersTree } from './strangers-tree.ts';

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tree-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('a tree goes with its links and pipes, and what the links lead to stays', async () => {
  const directory = place();
  mkdirSync(join(directory, 'victim/below'), { recursive: true });
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'a/b/c'), { recursive: true });
  for (const path of ['link', 'a/link', 'a/b/c/link']) symlinkSync(join(directory, 'victim'), join(tree, path));
  execFileSync('mkfifo', [join(tree, 'a/pipe')]);
  writeFileSync(join(tree, 'a/b/file'), 'x');
  await removeStrangersTree(tree);
  expect(existsSync(tree)).toBe(false);
  expect(readdirSync(join(directory, 'victim'))).toEqual(['below']);
  await removeStrangersTree(tree);
});

test('a tree without end is refused', async () => {
  const tree = join(place(), 'tree');
  mkdirSync(join(tree, 'd/'.repeat(100)), { recursive: true });
  await expect(removeStrangersTree(tree)).rejects.toThrow('64 directories');
});
