/** Which files are held in memory, for how long, and within which limits. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { SharedFiles } from './shared-files.ts';

const LIMITS = { leastBytes: 10, mostBytes: 100, totalBytes: 150 };

let directory: string;
let file: FileHandle;
let clock: ManualClock;
let shared: SharedFiles;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mw-shared-'));
  writeFileSync(join(directory, 'file'), 'x'.repeat(100));
  file = await open(join(directory, 'file'));
  clock = new ManualClock();
  shared = new SharedFiles(clock, LIMITS);
});

afterEach(async () => {
  await file.close();
  rmSync(directory, { recursive: true });
});

test('concurrent readers of a file share one buffer, which is freed ten seconds after the last one', async () => {
  const [one, other] = await Promise.all([shared.take('a', 100, file), shared.take('a', 100, file)]);
  expect(Buffer.from(one ?? []).toString()).toBe('x'.repeat(100));
  expect(other).toBe(one);
  shared.leave('a');
  await clock.pass(60_000);
  expect(await shared.take('a', 100, file)).toBe(one);
  shared.leave('a');
  shared.leave('a');
  await clock.pass(9_000);
  expect(await shared.take('a', 100, file)).toBe(one);
  shared.leave('a');
  await clock.pass(11_000);
  expect(shared.bytes).toBe(0);
});

test('a file that does not fit is read in pieces, and a file without readers makes room', async () => {
  expect(shared.take('small', 9, file)).toBeUndefined();
  expect(shared.take('large', 101, file)).toBeUndefined();
  await shared.take('a', 100, file);
  expect(shared.take('b', 51, file)).toBeUndefined();
  await shared.take('c', 50, file);
  shared.leave('a');
  await shared.take('b', 51, file);
  expect(shared.bytes).toBe(101);
});

test('a file that got shorter is an error, and the next reader reads it again', async () => {
  writeFileSync(join(directory, 'file'), 'short');
  await expect(shared.take('a', 100, file)).rejects.toThrow('ends after 5 of 100');
  expect(shared.bytes).toBe(0);
  writeFileSync(join(directory, 'file'), 'y'.repeat(100));
  expect(Buffer.from((await shared.take('a', 100, file)) ?? []).toString()).toBe('y'.repeat(100));
});
