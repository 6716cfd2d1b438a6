/** What a program prints that is no part of the product: bounded in bytes and in time, and ended with all that it has started. */
import { type ChildProcess, spawn } from 'node:child_process';

/** So much a program may print, and so long it may take. */
export interface ScriptLimits {
  readonly withinMs: number;
  readonly maxBytes: number;
}

/** What a program printed, or why that does not count. */
export interface ScriptOutput {
  readonly fault: string | undefined;
  readonly printed: Buffer;
  /** The end of its standard error. */
  readonly said: string;
}

const SAID_MAX = 4_096;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Runs a program in its directory, as the leader of a process group of its own. */
export async function scriptOutput(
  argv: readonly [string, ...string[]],
  cwd: string,
  { withinMs, maxBytes }: ScriptLimits,
): Promise<ScriptOutput> {
  const [program, ...words] = argv;
  const child = spawn(program, words, { cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const chunks: Buffer[] = [];
  let bytes = 0;
  let said = '';
  let fault: string | undefined;
  const end = (why: string): void => {
    fault ??= why;
    killGroup(child);
    // A process that has left the group may hold the pipes.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) end(`printed more than ${maxBytes} bytes`);
    else chunks.push(chunk);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-SAID_MAX);
  });
  const late = setTimeout(() => end(`did not end within ${withinMs / 1_000} s`), withinMs);
  // The terminal sends Ctrl-C to its own process group only.
  const onSignal = (signal: NodeJS.Signals): void => {
    end(`was ended by ${signal}`);
    for (const each of SIGNALS) process.removeListener(each, onSignal);
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const ended = await new Promise<string | undefined>((settle) => {
      child.once('error', ({ message }) => settle(`cannot be started: ${message}`));
      child.once('close', (code, signal) => {
        if (code === 0) return settle(undefined);
        settle(signal === null ? `ended with ${code}` : `was ended by ${signal}`);
      });
    });
    return { fault: fault ?? ended, printed: Buffer.concat(chunks), said };
  } finally {
    clearTimeout(late);
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended.
  }
}
