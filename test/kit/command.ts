/**
 * Runs a command with posix_spawn(3), and waits for its end. Node's own spawn forks: the kernel then copies the page
 * tables of the tests' process, which takes 20 to 40 ms of a processor for each command. posix_spawn takes 2 ms.
 */
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { libc, MFD_CLOEXEC } from '../../src/kernel/libc.ts';
import { inNetns } from '../../src/kernel/netns.ts';

const c = koffi.load(null);
const posix = {
  spawn: c.func(
    'int posix_spawnp(_Out_ int *pid, const char *file, const void *actions, const void *attributes, const char **argv, const char **env)',
  ),
  initActions: c.func('int posix_spawn_file_actions_init(_Out_ void *actions)'),
  dup: c.func('int posix_spawn_file_actions_adddup2(_Inout_ void *actions, int from, int to)'),
  destroyActions: c.func('int posix_spawn_file_actions_destroy(_Inout_ void *actions)'),
  initAttributes: c.func('int posix_spawnattr_init(_Out_ void *attributes)'),
  setFlags: c.func('int posix_spawnattr_setflags(_Inout_ void *attributes, short flags)'),
  setDefaults: c.func('int posix_spawnattr_setsigdefault(_Inout_ void *attributes, const void *signals)'),
  fillSignals: c.func('int sigfillset(_Out_ void *signals)'),
  wait: c.func('int waitpid(int pid, _Out_ int *status, int options)'),
};

/** Larger than posix_spawn_file_actions_t, posix_spawnattr_t and sigset_t of glibc and of musl. */
const STRUCT_BYTES = 512;
/** POSIX_SPAWN_SETSIGDEF and POSIX_SPAWN_SETSIGMASK (spawn.h). */
const SIGNALS_AS_NEW = 0x04 | 0x08;

/** Node ignores SIGPIPE: the command gets no ignored signals, and no blocked ones. */
const attributes = Buffer.alloc(STRUCT_BYTES);
const signals = Buffer.alloc(STRUCT_BYTES);
posix.initAttributes(attributes);
posix.fillSignals(signals);
posix.setDefaults(attributes, signals);
posix.setFlags(attributes, SIGNALS_AS_NEW);

/** The end of a command. */
interface Ended {
  /** The exit code; 128 and the number of the signal when a signal has ended the command, as in a shell. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end, as `spawnSync` does.
 * @param input the text on its standard input
 * @param netns the path of the network namespace in which the command runs; absent: that of this process
 * @throws Error when there is no such program
 */
export function runToEnd(
  argv: readonly string[],
  { input = '', netns }: { readonly input?: string; readonly netns?: string } = {},
): Ended {
  using files = new DisposableStack();
  const streams = [input, '', ''].map((text) => {
    const fd = libc.memfd_create('stream', MFD_CLOEXEC);
    files.defer(() => closeSync(fd));
    if (text !== '') writeSync(fd, text, 0);
    return fd;
  });
  const status = waitFor(netns === undefined ? start(argv, streams) : inNetns(netns, () => start(argv, streams)));
  const [, stdout = '', stderr = ''] = streams.map(textOf);
  return { status, stdout, stderr };
}

/** @returns the pid */
function start(argv: readonly string[], streams: readonly number[]): number {
  const actions = Buffer.alloc(STRUCT_BYTES);
  posix.initActions(actions);
  for (const [to, from] of streams.entries()) posix.dup(actions, from, to);
  const pid = [0];
  const env = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  const errno = posix.spawn(pid, argv[0], actions, attributes, [...argv, null], [...env, null]);
  posix.destroyActions(actions);
  if (errno !== 0) throw new Error(`${argv.join(' ')}: ${getSystemErrorName(-errno)}`);
  return pid[0] ?? 0;
}

function waitFor(pid: number): number {
  const status = [0];
  // A signal to this process interrupts the wait.
  while (posix.wait(pid, status, 0) !== pid);
  const [code = 0] = status;
  const signal = code & 0x7f;
  return signal === 0 ? code >> 8 : 128 + signal;
}

function textOf(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, bytes, 0, bytes.length, 0);
  return bytes.toString('utf8');
}
