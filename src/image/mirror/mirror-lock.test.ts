/** The lock of the mirror, with processes that end in the midst. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withMirrorLock } from './mirror-lock.ts';

let state: string;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'mirror-lock-'));
});

afterEach(() => rmSync(state, { recursive: true, force: true }));

/** A process that has the lock. */
async function holder(): Promise<ChildProcess> {
  const module = JSON.stringify(new URL('./mirror-lock.ts', import.meta.url).href);
  const program = `import { withMirrorLock } from ${module};
    await withMirrorLock(${JSON.stringify(state)}, () => new Promise(() => { console.log('held'); setInterval(() => {}, 1000); }));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

test('nobody else changes the mirror, until the process is killed', async () => {
  const child = await holder();
  try {
    await expect(withMirrorLock(state, async () => 'in')).rejects.toMatchObject({ code: 'MESH_ALREADY_RUNNING' });
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  expect(await withMirrorLock(state, async () => 'in')).toBe('in');
});

test('of many that meet a lock of a process that is gone, one is in at a time', async () => {
  mkdirSync(join(state, 'mirror'));
  writeFileSync(join(state, 'mirror/lock'), '{"pid": 1');
  let [inside, most] = [0, 0];
  const work = async () => {
    most = Math.max(most, ++inside);
    await new Promise(setImmediate);
    inside--;
  };
  const ended = await Promise.allSettled(Array.from({ length: 50 }, () => withMirrorLock(state, work)));
  expect(most).toBe(1);
  expect(ended.some(({ status }) => status === 'fulfilled')).toBe(true);
});
