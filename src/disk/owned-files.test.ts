/** Files below a directory of ours: what an outsider does there is seen, and no path leads out of it. */
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { OwnedFiles } from './owned-files.ts';

let top: string;
let root: string;
let files: OwnedFiles;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'mw-owned-'));
  root = join(top, 'state/files');
  files = new OwnedFiles(root);
  onTestFinished(() => rmSync(top, { recursive: true }));
});

test('a file has its content and permissions whatever the umask, and the users of services reach it', async () => {
  expect(await files.observe()).toEqual([]);
  const before = process.umask(0o077);
  onTestFinished(() => void process.umask(before));
  const path = join(root, 'blue/hosts');
  await files.write({ path, content: 'one', mode: 0o644 });
  expect(await files.observe()).toEqual([{ path, content: 'one', mode: 0o644 }]);
  for (const directory of [root, join(root, 'blue')]) expect(statSync(directory).mode & 0o777).toBe(0o711);
  await files.write({ path, content: 'two', mode: 0o600 });
  expect(await files.observe()).toEqual([{ path, content: 'two', mode: 0o600 }]);
  await files.remove(path);
  expect(await files.observe()).toEqual([]);
});

test('what is in place of a file is seen, and replaced', async () => {
  const path = join(root, 'conf');
  const target = join(top, 'target');
  writeFileSync(target, 'of others');
  const wanted = { path, content: 'ours', mode: 0o640 };
  await files.write(wanted);
  const flaws = async () => (await files.observe()).map(({ flaw }) => flaw);
  rmSync(path);
  symlinkSync(target, path);
  expect(await flaws()).toEqual(['is no plain file']);
  await files.write(wanted);
  expect(readFileSync(target, 'utf8')).toBe('of others');
  chownSync(path, 65534, 65534);
  expect(await flaws()).toEqual(['belongs to the user 65534']);
  rmSync(path);
  mkdirSync(join(path, 'below'), { recursive: true });
  await files.write(wanted);
  expect(await files.observe()).toEqual([wanted]);
});

test('no path leads out of the directory, and a place that cannot be written is an error', async () => {
  for (const path of [join(top, 'other'), `${root}/../other`, root, `${root}x/conf`]) {
    await expect(files.write({ path, content: '', mode: 0o640 })).rejects.toThrow(RangeError);
    await expect(files.remove(path)).rejects.toThrow(RangeError);
  }
  await files.write({ path: join(root, 'file'), content: '', mode: 0o640 });
  const below = { path: join(root, 'file/conf'), content: '', mode: 0o640 };
  await expect(files.write(below)).rejects.toMatchObject({ code: 'MESH_DISK_REFUSED' });
});
