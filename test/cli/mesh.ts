/** Runs the command line: in this process for its answers, or as a process of its own for exit codes and errors. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { runCommandLine } from '../../src/cli/command-line.ts';
import type { Host } from '../../src/cli/context.ts';
import { createProgram, runProgram } from '../../src/cli/program.ts';
import { commandDirectory } from '../../src/image/node/program-files.ts';
import type { DaemonName } from '../../src/protocol/http/service-manager.ts';

/** The path of the command: from the bundles if there are some, which takes a third of the processor time of the source. */
export const BIN = join(commandDirectory, 'mesh');
/** The path of a `mesh` that starts stand-ins instead of the daemons. */
export const MESH_WITH_STAND_INS = fileURLToPath(new URL('./mesh-with-stand-ins.ts', import.meta.url));
const STAND_IN = fileURLToPath(new URL('./stand-in.ts', import.meta.url));

/** The entries of a `Host` whose daemons are stand-ins. */
export const STAND_INS = { host0: STAND_IN, agent: STAND_IN };

/** What a command printed, and its exit code. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** What stdout and stderr of a command are. */
export interface Terminal {
  /** The width of a terminal; without it they are pipes. */
  readonly columns?: number;
  readonly colors?: boolean;
  readonly entries?: Readonly<Record<DaemonName, string>>;
}

/** Runs a command in this process. @throws what the command throws */
export function mesh(words: readonly string[], terminal: Terminal = {}): Promise<Outcome> {
  return onTerminal(terminal, async (host) => runProgram(await createProgram(host, words), words));
}

/** Runs a command line in this process; an error is printed, and gives the exit code. */
export function commandLine(words: readonly string[], terminal: Terminal = {}): Promise<Outcome> {
  return onTerminal(terminal, (host) => runCommandLine(host, words));
}

async function onTerminal(terminal: Terminal, run: (host: Host) => Promise<number>): Promise<Outcome> {
  const { columns, colors = false, entries = STAND_INS } = terminal;
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) => ({
    ...(columns !== undefined && { isTTY: true, columns }),
    hasColors: () => colors,
    write: (text: string | Uint8Array) => {
      written[name] += typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
    },
  });
  const code = await run({ stdout: stream('stdout'), stderr: stream('stderr'), entries });
  return { ...written, code };
}

/** Runs `bin/mesh` as a process, with pipes for stdout and stderr. */
export function meshProcess(
  words: readonly string[],
  { env = {}, cwd = '/' }: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<Outcome> {
  return runCommand(BIN, words, { cwd, env });
}

/** Runs a program, with pipes for stdout and stderr. */
export async function runCommand(
  program: string,
  words: readonly string[],
  { env = {}, cwd = '/' }: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<Outcome> {
  const child = spawn(program, words, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const written = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    written.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    written.stderr += chunk;
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? -1));
  });
  return { ...written, code };
}

/** The command tree with every noun loaded. */
export async function wholeTree(): Promise<Command> {
  const silent = { write: () => {} };
  const host = { stdout: silent, stderr: silent, entries: STAND_INS };
  return (await createProgram(host, ['complete'])).command;
}
