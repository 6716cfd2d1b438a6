/** Real scripts as hooks, one for each trap: what host0 gives a hook, and what host0 makes of each end. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PATIENCE } from '../../../test/kit/patience.ts';
import type { HookPhase } from '../../protocol/documents/order/hook.ts';
import { launch } from '../process/launch.ts';
import { findMark, isRunning, processMarkOf } from '../process/process-mark.ts';
import { endLeftOverHooks, recordHook } from './hook-record.ts';
import { type HookFailure, type HookResult, type HookRun, runHook, tryHook } from './run-hook.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mw-hook-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** Writes a hook. @returns its path */
function hook(script: string, name = 'hook'): string {
  const path = join(directory, name);
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}

const sh = (...lines: string[]) => `#!/bin/sh\n${lines.join('\n')}\n`;

function run(path: string, more: Partial<HookRun> = {}): Promise<HookResult | HookFailure> {
  return tryHook({ path, event: 'owner-created', phase: 'after', object: 'acme', document: { name: 'acme' }, ...more });
}

/** The error of a hook that fails. */
async function errorOf(path: string, more: Partial<HookRun> = {}): Promise<HookFailure['error']> {
  const result = await run(path, more);
  if (!('error' in result)) throw new Error('the hook did not fail');
  return result.error;
}

test('a hook gets event and object as arguments, scalars in its environment, and the document as one line', async () => {
  vi.stubEnv('SECRET_OF_HOST0', 'secret');
  const words = '$# $1 $2 $MESH_EVENT $MESH_PHASE $MESH_OBJECT $MESH_ORDER $SECRET_OF_HOST0$PWD';
  const result = await runHook({
    path: hook(sh('read -r line', 'rest=$(cat)', `echo "${words}"`, 'printf "%s|%s" "$line" "$rest"')),
    event: 'network',
    phase: 'before',
    object: 'blue',
    document: { name: 'blue', text: 'two\nlines' },
    env: { MESH_ORDER: 'o7' },
  });
  vi.unstubAllEnvs();
  expect(result.output.split('\n')).toEqual([
    '2 network blue network before blue o7 /',
    '{"name":"blue","text":"two\\nlines"}|',
  ]);
});

test('an object on standard output is the answer, everything else is words', async () => {
  expect(await run(hook(sh(`cat >/dev/null; echo note >&2; echo '{"prefix":"2001:db8::/64"}'`)))).toEqual({
    answer: { prefix: '2001:db8::/64' },
    output: 'note\n',
  });
  expect(await run(hook(sh('echo made blue')))).toEqual({ output: 'made blue\n' });
  const half = await errorOf(hook(sh(`echo '{"prefix":'`)));
  expect([half.code, half.message]).toEqual(['MESH_HOOK_OUTPUT', expect.stringContaining('is no JSON')]);
  const deep = await errorOf(hook(sh(`head -c 30000 /dev/zero | tr '\\0' '[' | sed 's/^/{"a":/'`)));
  expect(deep.code).toBe('MESH_HOOK_OUTPUT');
});

test('an answer is nested up to 16 deep, so that what it is kept in can be read', async () => {
  const nested = (levels: number) => '{"a":'.repeat(levels) + 1 + '}'.repeat(levels);
  expect(await run(hook(sh(`echo '${nested(16)}'`)))).toMatchObject({ output: '', answer: { a: { a: {} } } });
  const { code, message } = await errorOf(hook(sh(`echo '${nested(17)}'`)));
  expect([code, message]).toEqual(['MESH_HOOK_OUTPUT', expect.stringContaining('is nested deeper than 16')]);
});

test.each<[HookPhase, string, string, string]>([
  ['before', 'echo no >&2; echo more than 3 networks >&2; exit 1', 'MESH_HOOK_REFUSED', 'no; more than 3 networks'],
  [
    'before',
    `echo '{"code":"QUOTA","message":"3 networks at most"}'; exit 1`,
    'MESH_HOOK_REFUSED',
    'QUOTA: 3 networks at most',
  ],
  ['before', 'exit 7', 'MESH_HOOK_REFUSED', 'status 7'],
  ['before', 'kill -SEGV $$', 'MESH_HOOK_FAILED', 'was killed by SIGSEGV'],
  ['after', 'echo no >&2; exit 1', 'MESH_HOOK_FAILED', 'ended with status 1: no'],
  ['undo', 'exit 3', 'MESH_HOOK_FAILED', 'ended with status 3'],
])('in the phase %s, `%s` is %s', async (phase, line, code, words) => {
  const error = await errorOf(hook(sh(line)), { phase });
  expect([error.code, error.message]).toEqual([code, expect.stringContaining(words)]);
  expect(error.remedy).toBeTruthy();
});

test('a hook that does not read a large input is not harmed, and harms nobody', async () => {
  const document = { text: 'x'.repeat(4 * 1024 * 1024) };
  expect(await run(hook(sh('exit 0')), { document })).toEqual({ output: '' });
  expect(await run(hook(sh('wc -c')), { document })).toEqual({ output: expect.stringContaining('4194') });
});

test('a child in the background that keeps the output open does not hold up the hook, and is ended with it', async () => {
  const result = await run(hook(sh('sleep 300 & echo $!')));
  const child = Number(result.output);
  await vi.waitFor(
    () => expect(findMark(child) === undefined || !isRunning(processMarkOf(child))).toBe(true),
    PATIENCE,
  );
});

test('a hook that never returns is ended with its children, even if it ignores SIGTERM', async () => {
  const file = join(directory, 'child');
  const path = hook(sh(`trap '' TERM; sleep 300 & echo $! > ${file}; echo still here >&2; wait; sleep 300`));
  const error = await errorOf(path, { timeLimitMs: 2_000 });
  expect([error.code, error.message]).toEqual([
    'MESH_HOOK_LATE',
    expect.stringContaining('after 2 s; its last words: still here'),
  ]);
  expect(error.remedy).toContain(`time-limit-sec=120\` in ${path}.conf`);
  const mark = findMark(Number(readFileSync(file, 'utf8')));
  await vi.waitFor(() => expect(mark === undefined || !isRunning(mark)).toBe(true), PATIENCE);
});

test('a hook has its own time limit in a file beside it', async () => {
  const path = hook(sh('sleep 0.5; echo done'));
  writeFileSync(`${path}.conf`, '# slow\ntime-limit-sec=60\n');
  expect(await run(path, { timeLimitMs: 50 })).toEqual({ output: 'done\n' });
});

test('a hook that writes without an end is ended at 64 KiB', async () => {
  for (const script of [sh('exec yes'), sh('exec yes >&2'), sh(`trap '' PIPE; while :; do echo yes; done`)]) {
    const result = await run(hook(script));
    expect('error' in result && result.error.code).toBe('MESH_HOOK_OUTPUT');
    expect(result.output.length).toBeLessThanOrEqual(2 * 64 * 1024 + 1);
  }
});

test('64 KiB exactly are taken', async () => {
  const result = await run(hook(sh(`head -c 65536 /dev/zero | tr '\\0' a`)));
  expect(result).toEqual({ output: 'a'.repeat(65_536) });
});

test('a script without a first line is run by sh', async () => {
  expect(await run(hook('echo "$1"\n'))).toEqual({ output: 'owner-created\n' });
});

test('what cannot be started has its own error', async () => {
  mkdirSync(join(directory, 'folder'));
  chmodSync(hook(sh('exit 0'), 'plain'), 0o644);
  hook('#!/no/such/program\n', 'lost');
  for (const [name, words, remedy] of [
    ['absent', 'there is no such file', 'Put an executable'],
    ['folder', 'it is no file', 'executable itself'],
    ['plain', 'it is not executable', 'chmod +x'],
    ['lost', 'the program in its first line does not exist', 'first line'],
  ] as const) {
    const error = await errorOf(join(directory, name));
    expect([error.code, error.message, error.remedy]).toEqual([
      'MESH_HOOK_NOT_STARTED',
      expect.stringContaining(words),
      expect.stringContaining(remedy),
    ]);
  }
});

test('a hook that is being written is not run', async () => {
  const path = hook(sh('exit 0'));
  const descriptor = openSync(path, 'r+');
  try {
    const error = await errorOf(path);
    expect([error.code, error.message]).toEqual([
      'MESH_HOOK_NOT_STARTED',
      expect.stringContaining('it is being written'),
    ]);
  } finally {
    closeSync(descriptor);
  }
  expect(await run(path)).toEqual({ output: '' });
});

test('a hook that others than root may change is not run', async () => {
  const ran = join(directory, 'ran');
  const path = hook(sh(`touch ${ran}`));
  const changes: [() => void, () => void, string][] = [
    [() => chmodSync(path, 0o775), () => chmodSync(path, 0o755), 'can be written by others than root'],
    [() => chmodSync(path, 0o757), () => chmodSync(path, 0o755), 'can be written by others than root'],
    [() => chownSync(path, 1234, 0), () => chownSync(path, 0, 0), 'belongs to the user 1234'],
    [() => chmodSync(directory, 0o777), () => chmodSync(directory, 0o755), 'can be written by others than root'],
    [() => chownSync(directory, 1234, 0), () => chownSync(directory, 0, 0), 'belongs to the user 1234'],
  ];
  for (const [spoil, heal, words] of changes) {
    spoil();
    const error = await errorOf(path);
    heal();
    expect([error.code, error.message]).toEqual(['MESH_HOOK_UNSAFE', expect.stringContaining(words)]);
    expect(error.remedy).toContain('chmod go-w');
  }
  expect(readdirSync(directory)).toEqual(['hook']);
  await run(path);
  expect(readdirSync(directory)).toEqual(['hook', 'ran']);
});

test('a hook whose order is cancelled is ended, and one that is not wanted any more is not started', async () => {
  const cancel = new AbortController();
  const running = errorOf(hook(sh('sleep 300')), { signal: cancel.signal });
  cancel.abort();
  expect((await running).code).toBe('MESH_HOOK_ENDED');
  expect((await errorOf(hook(sh('exit 0')), { signal: cancel.signal })).code).toBe('MESH_HOOK_ENDED');
});

test('a hook is noted while it runs, and one that was left behind is ended', async () => {
  const records = join(directory, 'records');
  const noted = await run(hook(sh(`until ls ${records}/*.json 2>/dev/null; do sleep 0.01; done`)), {
    recordDirectory: records,
  });
  expect(noted.output).toMatch(/\/\d+\.json\n$/);
  expect(readdirSync(records)).toEqual([]);
  const mark = launch({ argv: ['sh', '-c', 'sleep 300 & wait'] });
  if (mark === undefined) throw new Error('not started');
  recordHook(records, mark);
  writeFileSync(join(records, 'damaged.json'), '{');
  expect(await endLeftOverHooks(records)).toEqual({ ended: 1, faults: [] });
  expect(isRunning(mark)).toBe(false);
  expect(readdirSync(records)).toEqual([]);
});

test('a hook whose run cannot be noted is ended at once, and reported', async () => {
  const file = join(directory, 'file');
  writeFileSync(file, '');
  const path = hook(sh('while :; do sleep 1; done'));
  try {
    const error = await errorOf(path, { recordDirectory: join(file, 'records'), timeLimitMs: 60_000 });
    expect([error.code, error.message]).toEqual([
      'MESH_HOOK_NOT_STARTED',
      expect.stringMatching(/was ended at once: .*ENOTDIR/),
    ]);
    await vi.waitFor(() => expect(pidsOf(path)).toEqual([]), PATIENCE);
  } finally {
    for (const pid of pidsOf(path)) process.kill(Number(pid), 'SIGKILL');
  }
});

/** The processes that run a script. */
function pidsOf(path: string): string[] {
  return readdirSync('/proc').filter((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').includes(path);
    } catch {
      return false;
    }
  });
}

test('a host0 without a free descriptor reports a hook that it cannot start, and goes on', async () => {
  const module = new URL('run-hook.ts', import.meta.url).pathname;
  const script = `
    import { openSync } from 'node:fs';
    import { tryHook } from ${JSON.stringify(module)};
    try { for (;;) openSync('/dev/null'); } catch {}
    const run = { path: process.argv[1], event: 'e', phase: 'after', object: 'o', document: {} };
    const { error } = await tryHook(run);
    await new Promise((resolve) => setImmediate(resolve));
    process.exitCode = error.code === 'MESH_HOOK_NOT_STARTED' && error.message.includes('EMFILE') ? 0 : 3;`;
  const limited = 'ulimit -n 64; exec "$@"';
  const argv = ['-c', limited, 'sh', process.execPath, '--input-type=module', '-e', script, hook(sh('exit 0'))];
  const status = await new Promise<number | null>((resolve) =>
    spawn('sh', argv, { stdio: 'ignore' }).on('exit', resolve),
  );
  expect(status).toBe(0);
});

test('a left-over hook that cannot be ended keeps its note, and the others are ended', async () => {
  const records = join(directory, 'records');
  const [hung, other] = [launch({ argv: ['sleep', '300'] }), launch({ argv: ['sleep', '300'] })];
  if (hung === undefined || other === undefined) throw new Error('not started');
  for (const mark of [hung, other]) recordHook(records, mark);
  mkdirSync(join(records, '7.json'));
  // As for a process that hangs in the kernel: signals have no effect.
  const kill = process.kill.bind(process);
  const spy = vi.spyOn(process, 'kill').mockImplementation((pid, signal) => pid === hung.pid || kill(pid, signal));
  const { ended, faults } = await endLeftOverHooks(records, 1_000).finally(() => spy.mockRestore());
  expect([ended, isRunning(hung), isRunning(other)]).toEqual([1, true, false]);
  expect(faults.map(({ code }) => code).sort()).toEqual(['MESH_INTERNAL', 'MESH_PROCESS_NOT_ENDED']);
  expect(readdirSync(records).sort()).toEqual(['7.json', `${hung.pid}.json`].sort());
  rmSync(join(records, '7.json'), { recursive: true });
  expect(await endLeftOverHooks(records)).toEqual({ ended: 1, faults: [] });
  expect([isRunning(hung), readdirSync(records)]).toEqual([false, []]);
});
