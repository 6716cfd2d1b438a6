/** A restore that is killed: the next command or start finds all of the old state, or all of the new. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { BIN, mesh } from '../../../test/cli/mesh.ts';
import { seedOfRun } from '../../../test/kit/damage.ts';
import { LONG } from '../../../test/kit/long.ts';
import { randomFrom } from '../../../test/kit/random.ts';
import { finishRestore } from '../../backup/finish-restore.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { SqliteStore } from '../../store/sqlite/sqlite-store.ts';

/** So many that a restore takes a while: each is synced. */
const FILES = LONG ? 300 : 40;

async function host0(word: string) {
  const root = mkdtempSync(join(tmpdir(), 'mw-kill-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const paths = pathsBelow(root);
  const file = (path: string): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), word);
    chmodSync(join(root, path), 0o600);
  };
  for (let at = 0; at < FILES; at++) file(`host0/machines/${word}${at}/packages`);
  for (const path of ['host0/host0.conf.txt', 'var/lib/meshwork/keys/installation', 'etc/default/meshwork']) file(path);
  const store = await SqliteStore.open(join(paths.state, 'store.db'));
  await store.txn([], [{ put: '/v1/word', value: word }]);
  await store.close();
  return { root, paths, run: (...words: readonly string[]) => mesh(['--root', root, '--json', 'system', ...words]) };
}

/** The words of all files, and of the store. */
async function wordsOf(root: string): Promise<string> {
  const paths = pathsBelow(root);
  const texts = ['host0', 'var/lib/meshwork/keys', 'etc'].flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
  );
  const store = await SqliteStore.open(join(paths.state, 'store.db'));
  texts.push((await store.get('/v1/word'))?.value ?? 'no store');
  await store.close();
  return `${[...new Set(texts)].join()}, ${texts.length} files`;
}

function restore(root: string, backup: string): ChildProcess {
  return spawn(BIN, ['--root', root, 'system', 'restore', backup, '--force'], { stdio: 'ignore' });
}

const WHOLE = (word: string) => `${word}, ${FILES + 4} files`;

test('killed when it has decided, all is new after the next start', async () => {
  const [old, fresh] = [await host0('old'), await host0('new')];
  const backup = join(fresh.root, 'new.backup');
  await fresh.run('backup', backup);
  const child = restore(old.root, backup);
  const exit = once(child, 'exit');
  const watcher = watch(old.paths.state, (_, name) => {
    if (name === 'restore.json') child.kill('SIGKILL');
  });
  await exit;
  watcher.close();
  // The process may have ended before the signal came.
  const { stdout } = await old.run('restore', '--finish');
  expect(JSON.parse(stdout)).toEqual({ isFinished: expect.any(Boolean) });
  expect(JSON.parse((await old.run('restore', '--finish')).stdout)).toEqual({ isFinished: false });
  expect(await wordsOf(old.root)).toBe(WHOLE('new'));
  expect(existsSync(join(old.paths.host0, '.meshwork-restore'))).toBe(false);
});

test(`killed at any moment, ${LONG ? 30 : 1} times, all is old or all is new`, async () => {
  const seed = seedOfRun();
  const random = randomFrom(seed);
  const fresh = await host0('new');
  const backup = join(fresh.root, 'new.backup');
  await fresh.run('backup', backup);
  const beganMs = performance.now();
  await once(restore((await host0('old')).root, backup), 'exit');
  const wholeMs = performance.now() - beganMs;
  const seen = new Set<string>();
  for (let round = 0; round < (LONG ? 30 : 1); round++) {
    const old = await host0('old');
    const child = restore(old.root, backup);
    const exit = once(child, 'exit');
    await sleep(wholeMs * (0.2 + random() * 0.8));
    child.kill('SIGKILL');
    await exit;
    await finishRestore(old.paths);
    const words = await wordsOf(old.root);
    expect([WHOLE('old'), WHOLE('new')], `seed ${seed}, round ${round}`).toContain(words);
    expect(existsSync(join(old.paths.host0, '.meshwork-restore'))).toBe(false);
    seen.add(words);
    // Another restore does not stumble over what the killed one has left.
    await old.run('restore', backup, '--force');
    expect(await wordsOf(old.root)).toBe(WHOLE('new'));
  }
  expect(seen.size).toBeGreaterThan(LONG ? 1 : 0);
}, 600_000);
