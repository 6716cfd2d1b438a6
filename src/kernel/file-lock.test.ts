/** A lock is that of one process, and ends with it, or before. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lockFile } from './file-lock.ts';

test('a file that another process has locked is not locked again until that process is killed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-lock-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'agent.lock');
  const script = `
    import { lockFile } from '${new URL('./file-lock.ts', import.meta.url)}';
    console.log(typeof lockFile('${path}'));
    setInterval(() => {}, 1000);
  `;
  const words = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script];
  const other = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void other.kill('SIGKILL'));
  expect(String(await once(other.stdout, 'data'))).toBe('function\n');
  expect(lockFile(path)).toBeUndefined();
  const exit = once(other, 'exit');
  other.kill('SIGKILL');
  await exit;
  const unlock = lockFile(path);
  expect(lockFile(path)).toBeUndefined();
  unlock?.();
  expect(lockFile(path)).toBeTypeOf('function');
  expect(() => lockFile(join(directory, 'no/agent.lock'))).toThrow('ENOENT');
});
