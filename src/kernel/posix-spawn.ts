/**
 * Starts commands with posix_spawn(3). Node forks: the kernel then copies the page tables of this process, which takes 10
 * to 40 ms of a processor for each command, and more the larger this process is. posix_spawn takes 2 ms.
 */
import { closeSync, existsSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import koffi from 'koffi';
import { errnoError, failed } from './libc.ts';
import { inNetns } from './netns.ts';

const c = koffi.load(null);
const posix = {
  spawn: c.func(
    'int posix_spawn(_Out_ int *pid, const char *file, const void *actions, const void *attributes, const char **argv, const char **env)',
  ),
  initActions: c.func('int posix_spawn_file_actions_init(_Out_ void *actions)'),
  dup: c.func('int posix_spawn_file_actions_adddup2(_Inout_ void *actions, int from, int to)'),
  chdir: c.func('int posix_spawn_file_actions_addchdir_np(_Inout_ void *actions, const char *path)'),
  destroyActions: c.func('int posix_spawn_file_actions_destroy(_Inout_ void *actions)'),
  initAttributes: c.func('int posix_spawnattr_init(_Out_ void *attributes)'),
  setFlags: c.func('int posix_spawnattr_setflags(_Inout_ void *attributes, short flags)'),
  setDefaults: c.func('int posix_spawnattr_setsigdefault(_Inout_ void *attributes, const void *signals)'),
  fillSignals: c.func('int sigfillset(_Out_ void *signals)'),
  wait: c.func('int waitpid(int pid, _Out_ int *status, int options)'),
  pipe: c.func('int pipe2(_Out_ void *ends, int flags)'),
};

/** Larger than posix_spawn_file_actions_t, posix_spawnattr_t and sigset_t of glibc and of musl. */
const STRUCT_BYTES = 512;
/** POSIX_SPAWN_SETSIGDEF and POSIX_SPAWN_SETSIGMASK (spawn.h). */
const SIGNALS_AS_NEW = 0x04 | 0x08;
/** POSIX_SPAWN_SETSID (spawn.h of glibc and of musl). */
const OWN_SESSION = 0x80;
/** O_CLOEXEC: only the command's own ends of the pipes go on in the command (asm-generic/fcntl.h). */
const CLOSE_ON_EXEC = 0o2000000;
/** waitpid returns 0 at once while the process runs (linux/wait.h). */
const WNOHANG = 1;
/** A command that has closed its output ends within microseconds, unless it is a daemon. */
const LOOK_AGAIN_MS = 2;

/** Node ignores SIGPIPE: a command gets no ignored signals, and no blocked ones. */
const signals = Buffer.alloc(STRUCT_BYTES);
posix.fillSignals(signals);
const attributes = attributesWith(SIGNALS_AS_NEW);
const attributesOfSession = attributesWith(SIGNALS_AS_NEW | OWN_SESSION);

function attributesWith(flags: number): Buffer {
  const bytes = Buffer.alloc(STRUCT_BYTES);
  posix.initAttributes(bytes);
  posix.setDefaults(bytes, signals);
  posix.setFlags(bytes, flags);
  return bytes;
}

/** How a command is started. */
export interface CommandPlace {
  /** The path of the network namespace in which the command runs; absent: that of this process. */
  readonly netns?: string | undefined;
  /** Absent: the environment of this process. */
  readonly env?: Readonly<NodeJS.ProcessEnv> | undefined;
  /** The working directory; absent: that of this process. */
  readonly directory?: string | undefined;
  /** Whether it leaves the session of this process. */
  readonly hasOwnSession?: boolean;
}

/**
 * Starts a command. Call `waitForEnd` with its pid: until then the process stays in the process table.
 * @param argv the program, found in the PATH of `env` unless it is a path, and its arguments
 * @param streams the descriptors of its standard input, output and error output
 * @returns the pid
 * @throws MESH_KERNEL_REFUSED when there is no such program
 */
export function startCommand(
  argv: readonly string[],
  streams: readonly [number, number, number],
  { netns, env = process.env, directory, hasOwnSession = false }: CommandPlace,
): number {
  const [program = ''] = argv;
  const file = program.includes('/') ? program : programIn(env.PATH ?? '', program);
  const words = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  const actions = Buffer.alloc(STRUCT_BYTES);
  posix.initActions(actions);
  for (const [to, from] of streams.entries()) posix.dup(actions, from, to);
  if (directory !== undefined) posix.chdir(actions, directory);
  const pid = [0];
  const how = hasOwnSession ? attributesOfSession : attributes;
  const spawn = (): number => posix.spawn(pid, file, actions, how, [...argv, null], [...words, null]);
  const errno = netns === undefined ? spawn() : inNetns(netns, spawn);
  posix.destroyActions(actions);
  if (errno !== 0) throw errnoError(errno, 'start', program);
  return pid[0] ?? 0;
}

/** The file of a program; its name when no directory of the PATH has it, so that the start fails with ENOENT. */
function programIn(path: string, program: string): string {
  return (
    path
      .split(':')
      .map((directory) => join(directory, program))
      .find((file) => existsSync(file)) ?? join('/nonexistent', program)
  );
}

/** Waits for the end of a process that `startCommand` has started, and blocks this thread meanwhile. @returns its exit code */
export function waitForEnd(pid: number): number {
  for (;;) {
    const code = exitCodeOf(pid, 0);
    // A signal to this process interrupts the wait.
    if (code !== undefined) return code;
  }
}

/** The exit code; 128 and the number of the signal that ended the command, as in a shell; undefined while it runs. */
function exitCodeOf(pid: number, options: number): number | undefined {
  const exit = exitOf(pid, options);
  return exit && (exit.status ?? 128 + (exit.signal ?? 0));
}

/** How a child of this process has ended: with a status, or by a signal. Undefined while it runs. It is told once. */
export function exitOf(pid: number, options = WNOHANG): { status?: number; signal?: number } | undefined {
  const status = [0];
  if (posix.wait(pid, status, options) !== pid) return undefined;
  const [word = 0] = status;
  const signal = word & 0x7f;
  return signal === 0 ? { status: word >> 8 } : { signal };
}

/**
 * Runs a command to its end, without input.
 * @throws MESH_KERNEL_REFUSED when there is no such program
 */
export async function outcomeOf(
  argv: readonly string[],
  place: CommandPlace,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const nothing = openSync('/dev/null', 'r');
  const [stdout, stderr] = [pipe(), pipe()];
  let pid: number;
  try {
    pid = startCommand(argv, [nothing, stdout.in, stderr.in], place);
  } catch (error) {
    for (const { out } of [stdout, stderr]) closeSync(out);
    throw error;
  } finally {
    for (const fd of [nothing, stdout.in, stderr.in]) closeSync(fd);
  }
  const read = ({ out }: Pipe) => text(new Socket({ fd: out, readable: true, writable: false }));
  const [said, complained] = await Promise.all([read(stdout), read(stderr)]);
  for (;;) {
    const code = exitCodeOf(pid, WNOHANG);
    if (code !== undefined) return { code, stdout: said, stderr: complained };
    await sleep(LOOK_AGAIN_MS);
  }
}

interface Pipe {
  readonly out: number;
  readonly in: number;
}

function pipe(): Pipe {
  const ends = new Int32Array(2);
  if (posix.pipe(ends, CLOSE_ON_EXEC) < 0) throw failed('make', 'a pipe');
  return { out: ends[0] ?? 0, in: ends[1] ?? 0 };
}
