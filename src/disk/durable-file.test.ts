/** Replacing and making files with several writers, and after crashes. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createDurable, writeDurable } from './durable-file.ts';

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mw-durable-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

test('makes missing directories, replaces the file, and leaves no temporary file', async () => {
  const directory = join(await newDirectory(), 'a/b');
  const path = join(directory, 'state.json');
  await writeDurable(path, 'a longer text');
  const crashed = spawnSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }).stdout.trim();
  await writeFile(`${path}.${crashed}-1.new`, 'left by a crash, and longer than what is written now');
  await writeFile(`${path}.${process.pid}-1.new`, 'left by an earlier process of the same number');
  const others = [`other.json.${crashed}-1.new`, `state.json.${process.ppid}-1.new`, 'state.json.new'];
  for (const name of others) await writeFile(join(directory, name), 'of another writer');
  await writeDurable(path, 'new');
  expect(await readFile(path, 'utf8')).toBe('new');
  expect((await readdir(directory)).sort()).toEqual([...others, 'state.json'].sort());
});

test('with many concurrent writers, the file is the text of one of them', async () => {
  const directory = await newDirectory();
  const path = join(directory, 'state.json');
  const texts = Array.from({ length: 20 }, (_, index) => `${index} `.repeat(10_000 * (index + 1)));
  await Promise.all(texts.map((text) => writeDurable(path, text)));
  expect(texts.indexOf(await readFile(path, 'utf8'))).toBeGreaterThanOrEqual(0);
  expect(await readdir(directory)).toEqual(['state.json']);
});

test('a failed write is an error that names the path', async () => {
  const directory = await newDirectory();
  await writeFile(join(directory, 'file'), '');
  const path = join(directory, 'file/state.json');
  await expect(writeDurable(path, 'new')).rejects.toMatchObject({
    code: 'MESH_DISK_REFUSED',
    object: join(directory, 'file'),
  });
});

test('with many concurrent makers, one wins and all get its text', async () => {
  const directory = join(await newDirectory(), 'a');
  const path = join(directory, 'key');
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, index) => createDurable(path, () => `key ${index}`, 0o600)),
  );
  expect(new Set(results)).toEqual(new Set([await readFile(path, 'utf8')]));
  expect(await createDurable(path, () => 'another', 0o600)).toBe(results[0]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(['key']);
});
