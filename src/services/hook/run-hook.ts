/** Runs one hook: an executable with a line of JSON on its standard input, a time limit, and a bounded output. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { MeshError } from '../../model/error.ts';
import type { HookAnswer, HookCall } from '../../protocol/documents/order/hook.ts';
import { findMark } from '../process/process-mark.ts';
import {
  hookAnswerWrong,
  hookEnded,
  hookFailed,
  hookLate,
  hookNotNoted,
  hookNotStarted,
  hookRefused,
  hookTalks,
  lastWords,
} from './hook-error.ts';
import { checkHook, timeLimitOf } from './hook-file.ts';
import { answerIn, HOOK_OUTPUT_MAX_BYTES, HookOutput, refusalIn } from './hook-output.ts';
import { recordHook } from './hook-record.ts';

/** One run of one hook. */
export interface HookRun extends HookCall {
  /** The executable. */
  readonly path: string;
  /** How long the hook may take, unless `PATH.conf` says another time: 30 s when absent. */
  readonly timeLimitMs?: number;
  /** Where the running hook is noted (hook-record.ts). Absent: it is not. */
  readonly recordDirectory?: string;
}

/** What a hook that ended well has left. */
export interface HookResult {
  /** The JSON object that the hook wrote to its standard output. Read it by a shape before it is used. */
  readonly answer?: HookAnswer;
  /** Everything else that the hook wrote. */
  readonly output: string;
}

/** A hook that failed, with what it had written until then. */
export interface HookFailure {
  readonly error: MeshError;
  readonly output: string;
}

/** A hook that asks an HTTP API has enough time; an order that waits for a broken one does not wait long. */
export const HOOK_TIME_LIMIT_MS = 30_000;
/** What a hook gets to tidy up when it is ended, before it is killed. */
const TERM_MS = 500;
/** A child in the background keeps the output open. What the hook itself wrote is there at once. */
const OUTPUT_GRACE_MS = 100;
/** What a daemon has when nobody gave it a PATH. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

type HookProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Runs a hook and waits for its end. Its arguments are the event and the object. What it has started in its process group is ended
 * with it: `setsid` takes a program out of it.
 * @throws MESH_HOOK_REFUSED (only in the phase `before`), MESH_HOOK_FAILED, MESH_HOOK_LATE, MESH_HOOK_OUTPUT, MESH_HOOK_UNSAFE,
 *   MESH_HOOK_NOT_STARTED, MESH_HOOK_ENDED
 */
export async function runHook(run: HookRun): Promise<HookResult> {
  const result = await tryHook(run);
  if ('error' in result) throw result.error;
  return result;
}

/** As `runHook`, for those who want what a failed hook wrote. Never rejects. */
export async function tryHook(run: HookRun): Promise<HookResult | HookFailure> {
  try {
    checkHook(run.path);
    if (run.signal?.aborted === true) throw hookEnded(run.path);
    return await ended(run, start(run));
  } catch (error) {
    const fault = error instanceof MeshError ? error : hookNotStarted(run.path, error, errnoOf(error));
    return { error: fault, output: '' };
  }
}

function start({ path, event, object, phase, env }: HookRun): HookProcess {
  return spawn(path, [event, object], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    // Nothing else of this process's environment: there may be secrets in it.
    env: {
      PATH: process.env.PATH ?? DEFAULT_PATH,
      LANG: 'C.UTF-8',
      ...env,
      MESH_EVENT: event,
      MESH_PHASE: phase,
      MESH_OBJECT: object,
    },
  });
}

/** Why this process ended the hook. */
type Cause = 'late' | 'talks' | 'cancelled';

function ended(run: HookRun, child: HookProcess): Promise<HookResult | HookFailure> {
  const { path, phase, document, signal, timeLimitMs = HOOK_TIME_LIMIT_MS } = run;
  const { pid } = child;
  // Without a listener, the error would end this process. A process without descriptors (EMFILE) gets a child without streams.
  const failed = new Promise<HookFailure>((resolve) => {
    child.on('error', (error) => resolve({ error: hookNotStarted(path, error, errnoOf(error)), output: '' }));
  });
  if (pid === undefined) return failed;
  const limitMs = timeLimitOf(path, timeLimitMs);
  const timers: NodeJS.Timeout[] = [];
  let cause: Cause | undefined;
  const end = (why: Cause) => {
    if (cause !== undefined) return;
    cause = why;
    killGroup(pid, 'SIGTERM');
    timers.push(setTimeout(() => killGroup(pid, 'SIGKILL'), TERM_MS));
  };
  const onAbort = () => end('cancelled');
  const stdout = new HookOutput(child.stdout, () => end('talks'));
  const stderr = new HookOutput(child.stderr, () => end('talks'));
  // A hook that does not read its input closes the pipe: an error here, and none of the hook.
  child.stdin.on('error', () => {});
  child.stdin.end(`${JSON.stringify(document)}\n`);
  const { forget, fault } = noted(run, pid);
  // Nobody would end it when this process is killed.
  if (fault !== undefined) killGroup(pid, 'SIGKILL');
  timers.push(setTimeout(() => end('late'), limitMs));
  signal?.addEventListener('abort', onAbort);

  return new Promise((resolve) => {
    const finish = (result: HookResult | HookFailure) => {
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      forget();
      resolve(result);
    };
    child.on('exit', (status, killedBy) => {
      const settle = () => {
        for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
        killGroup(pid, 'SIGKILL');
        const hookEnd = { path, phase, cause, limitMs, status, killedBy, stdout: stdout.text, stderr: stderr.text };
        finish(fault === undefined ? judged(hookEnd) : { error: fault, output: '' });
      };
      const grace = setTimeout(settle, OUTPUT_GRACE_MS);
      child.on('close', () => {
        clearTimeout(grace);
        settle();
      });
    });
  });
}

/** Notes that the hook runs. @returns how to remove the note; or why there is none: the disk of /run may be full */
function noted(
  { path, recordDirectory }: HookRun,
  pid: number,
): { readonly forget: () => void; readonly fault?: MeshError } {
  const mark = recordDirectory === undefined ? undefined : findMark(pid);
  if (recordDirectory === undefined || mark === undefined) return { forget: () => {} };
  try {
    return { forget: recordHook(recordDirectory, mark) };
  } catch (error) {
    return { forget: () => {}, fault: hookNotNoted(path, recordDirectory, error) };
  }
}

/** How a hook ended, and what it wrote. */
interface HookEnd {
  readonly path: string;
  readonly phase: HookCall['phase'];
  readonly cause: Cause | undefined;
  readonly limitMs: number;
  readonly status: number | null;
  readonly killedBy: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function judged({ path, phase, cause, limitMs, status, killedBy, stdout, stderr }: HookEnd): HookResult | HookFailure {
  const { answer, words, ...rest } = answerIn(stdout);
  const output = [stderr, words].filter((text) => text !== '').join('\n');
  const said = refusalIn(stdout) ?? lastWords(stderr === '' ? words : stderr);
  if (cause === 'late') return { error: hookLate(path, limitMs, said), output };
  if (cause === 'talks') return { error: hookTalks(path, HOOK_OUTPUT_MAX_BYTES), output };
  if (cause === 'cancelled') return { error: hookEnded(path), output };
  if (killedBy !== null) return { error: hookFailed(path, `was killed by ${killedBy}`, said), output };
  if (status !== 0 && phase === 'before')
    return { error: hookRefused(path, said === '' ? `status ${status}` : said), output };
  if (status !== 0) return { error: hookFailed(path, `ended with status ${status}`, said), output };
  if ('fault' in rest && rest.fault !== undefined) return { error: hookAnswerWrong(path, rest.fault), output };
  return { output, ...(answer !== undefined && { answer }) };
}

/** The group has the number of the hook, and keeps it while it has a process. */
function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nothing of the group runs any more.
  }
}

function errnoOf(thrown: unknown): string {
  const code: unknown = typeof thrown === 'object' && thrown !== null ? Reflect.get(thrown, 'code') : undefined;
  return typeof code === 'string' ? code : 'it did not start';
}
