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

test('makes the directories above, replaces what was there, and leaves nothing else', async () => {
  const directory = join(await newDirectory(), 'a/b');
  const path = join(directory, 'state.json');
  await writeDurable(path, 'a longer text');
  const crashed = spawnSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }).stdout.trim();
  await writeFile(`${path}.${crashed}-1.new`, 'left by a crash, and longer than what is written now');
  await writeFile(`${path}.${process.pid}-1.new`, 'left by an earlier process of the same number');
  const others = [`other.json.${crashed}-1.new`, `state.json.${process.ppid}-1.new`, 'state.json.new'];
  for (const name of others) await writeFile(join(directory, name), 'none of ours');
  await writeDurable(path, 'new');
  expect(await readFile(path, 'utf8')).toBe('new');
  expect((await readdir(directory)).sort()).toEqual([...others, 'state.json'].sort());
});

test('of many who write a file at once, one has written it', async () => {
  const directory = await newDirectory();
  const path = join(directory, 'state.json');
  const texts = Array.from({ length: 20 }, (_, index) => `${index} `.repeat(10_000 * (index + 1)));
  await Promise.all(texts.map((text) => writeDurable(path, text)));
  expect(texts.indexOf(await readFile(path, 'utf8'))).toBeGreaterThanOrEqual(0);
  expect(await readdir(directory)).toEqual(['state.json']);
});

test('a disk that refuses is an error that names the file', async () => {
  const directory = await newDirectory();
  await writeFile(join(directory, 'file'), '');
  const path = join(directory, 'file/state.json');
  await expect(writeDurable(path, 'new')).rejects.toMatchObject({
    code: 'MESH_DISK_REFUSED',
    object: join(directory, 'file'),
  });
});

test('of many who make a file at once one wins, and all hear of it', async () => {
  const directory = join(await newDirectory(), 'a');
  const path = join(directory, 'key');
  const heard = await Promise.all(
    Array.from({ length: 20 }, (_, index) => createDurable(path, () => `key ${index}`, 0o600)),
  );
  expect(new Set(heard)).toEqual(new Set([await readFile(path, 'utf8')]));
  expect(await createDurable(path, () => 'another', 0o600)).toBe(heard[0]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(['key']);
});
