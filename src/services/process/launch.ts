/** Starts a process that outlives this one, in its own session, with its output appended to a file. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { findMark, type ProcessMark } from './process-mark.ts';

/** What to start, and where its output goes. */
export interface Launch {
  /** The program and its arguments; the program is looked for in PATH. */
  readonly argv: readonly string[];
  /** The working directory; `/` when absent. */
  readonly directory?: string;
  /** Standard output and standard error are appended to this file. When absent, they are discarded. */
  readonly logFile?: string;
  /** The environment; that of this process when absent. */
  readonly env?: NodeJS.ProcessEnv;
  /** The user that the process runs as; that of this process when absent. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** What the process reads from its standard input, which ends then. Nothing when absent. */
  readonly stdin?: string;
  /** Open descriptors that the process gets as its descriptors from 3 on. They stay open here. */
  readonly descriptors?: readonly number[];
  /** Calls `fork` where the process shall run, for example inside a network namespace. */
  readonly within?: <T>(fork: () => T) => T;
  /** Starts a process that gets nothing but its output; Node's own way is slower. Absent: Node starts it. */
  readonly start?: StartChild | undefined;
  /** Called if the program cannot be started, after `launch` has returned. */
  readonly onError?: (error: Error) => void;
  /** Called with the exit status or the signal when the process ends, if this process still runs then. */
  readonly onExit?: (status: number | null, signal: NodeJS.Signals | null) => void;
}

/** Starts a process in a session of its own. @returns its pid @throws an error if there is no such program */
type StartChild = (
  child: {
    readonly argv: readonly string[];
    readonly directory: string;
    readonly env: Readonly<NodeJS.ProcessEnv>;
    readonly output?: number | undefined;
  },
  onExit: (status: number | null, signal: string | null) => void,
) => number;

const SIGNALS = Object.keys(constants.signals) as NodeJS.Signals[];
const LOG_MODE = 0o640;

/**
 * Starts a process. This process does not wait for it, and may end before it.
 * @returns undefined if the program cannot be started
 * @throws an error of the file system if the log cannot be opened
 */
export function launch(wanted: Launch): ProcessMark | undefined {
  const { argv, directory: cwd = '/', logFile, env, user, stdin } = wanted;
  const { within = (fork) => fork(), onError = () => {}, onExit, descriptors = [], start } = wanted;
  const [program = '', ...rest] = argv;
  const log = logFile === undefined ? undefined : openSync(logFile, 'a', LOG_MODE);
  const output = log ?? 'ignore';
  try {
    if (start !== undefined && user === undefined && stdin === undefined && descriptors.length === 0) {
      return started(start, wanted, log);
    }
    const child = within(() =>
      spawn(program, rest, {
        detached: true,
        cwd,
        stdio: [stdin === undefined ? 'ignore' : 'pipe', output, output, ...descriptors],
        ...(env !== undefined && { env }),
        ...user,
      }),
    );
    // Without a listener, the error of a child that could not be started would end this process.
    child.on('error', onError);
    if (onExit !== undefined) child.on('exit', onExit);
    if (stdin !== undefined) {
      // A process that reads nothing closes the pipe, which is its own affair.
      child.stdin?.on('error', () => {});
      child.stdin?.end(stdin);
    }
    child.unref();
    return child.pid === undefined ? undefined : findMark(child.pid);
  } finally {
    if (log !== undefined) closeSync(log);
  }
}

function started(start: StartChild, wanted: Launch, output: number | undefined): ProcessMark | undefined {
  const { argv, directory = '/', env = process.env, onExit, onError } = wanted;
  const { within = (fork) => fork() } = wanted;
  try {
    const child = { argv, directory, env, output };
    const pid = within(() => start(child, (status, signal) => onExit?.(status, signalNamed(signal))));
    return findMark(pid);
  } catch (thrown) {
    queueMicrotask(() => onError?.(thrown instanceof Error ? thrown : new Error(String(thrown))));
    return undefined;
  }
}

function signalNamed(name: string | null): NodeJS.Signals | null {
  return SIGNALS.find((signal) => signal === name) ?? null;
}
