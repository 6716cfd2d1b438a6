/** What a launched process gets from its launcher, and what the launcher hears of it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { startChild } from '../../kernel/child.ts';
import { launch } from './launch.ts';
import { isRunning, type ProcessMark, signalProcess } from './process-mark.ts';

let directory: string;
let logFile: string;
let started: ProcessMark | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mw-launch-'));
  logFile = join(directory, 'log');
  started = undefined;
});

afterEach(() => {
  if (started !== undefined) signalProcess(started, 'SIGKILL');
  rmSync(directory, { recursive: true });
});

/** The session id, field 6 of proc_pid_stat(5). */
const sessionOf = ({ pid }: ProcessMark) => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[5]);

describe.each([
  ['Node', undefined],
  ['posix_spawn', startChild],
])('started by %s', (_, start) => {
  test('a process has its own session, its directory, its environment and its log', async () => {
    const script = 'echo $WORD; pwd; echo oops >&2; exec sleep 60';
    started = launch({
      start,
      argv: ['sh', '-c', script],
      directory,
      logFile,
      env: { PATH: process.env.PATH, WORD: 'hello' },
    });
    if (started === undefined) throw new Error('not started');
    expect(isRunning(started)).toBe(true);
    expect(sessionOf(started)).toBe(started.pid);
    await vi.waitFor(() => expect(readFileSync(logFile, 'utf8')).toBe(`hello\n${directory}\noops\n`), PATIENCE);
  });

  test('the output is appended, and the exit is reported', async () => {
    const ends: unknown[] = [];
    const run = (script: string) =>
      launch({ start, argv: ['sh', '-c', script], logFile, onExit: (status, signal) => ends.push(status ?? signal) });
    run('echo one; exit 3');
    await vi.waitFor(() => expect(ends).toEqual([3]), PATIENCE);
    run('echo two; kill -TERM $$');
    await vi.waitFor(() => expect(ends).toEqual([3, 'SIGTERM']), PATIENCE);
    expect(readFileSync(logFile, 'utf8')).toBe('one\ntwo\n');
  });

  test('the process is forked inside `within`', () => {
    const order: string[] = [];
    started = launch({
      start,
      argv: ['sleep', '60'],
      within: (fork) => {
        order.push('in');
        const forked = fork();
        order.push('out');
        return forked;
      },
    });
    expect(started).toBeDefined();
    expect(order).toEqual(['in', 'out']);
  });

  test('a missing program is an error, and no process is started', async () => {
    const errors: string[] = [];
    expect(
      launch({ start, argv: ['no-such-program'], onError: ({ message }) => errors.push(message) }),
    ).toBeUndefined();
    await vi.waitFor(() => expect(errors).toEqual([expect.stringContaining('no-such-program')]), PATIENCE);
    expect(launch({ start, argv: ['no-such-program'] })).toBeUndefined();
  });
});
