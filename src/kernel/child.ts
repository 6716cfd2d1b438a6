/**
 * Starts a process in a session of its own with posix_spawn(3), and tells when it ends. Node forks for that: the kernel copies the
 * page tables of this process, and each page that this process then writes to, which takes milliseconds for each start.
 */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import koffi from 'koffi';
import { exitOf, startCommand } from './posix-spawn.ts';

const pidfdOpen = koffi.load(null).func('long syscall(long number, int pid, unsigned int flags)');
/** SYS_pidfd_open has one number on all processors (asm-generic/unistd.h). */
const SYS_PIDFD_OPEN = 434;
/** Where the kernel has no descriptors of processes (before 5.3), the end is looked for so often. */
const LOOK_MS = 100;

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** What is started. */
export interface Child {
  readonly argv: readonly string[];
  /** Its working directory. */
  readonly directory: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** The descriptor that its output and its errors go to. Absent: they are discarded. */
  readonly output?: number | undefined;
  /** The path of the network namespace in which it runs. Absent: that of this process. */
  readonly netns?: string | undefined;
}

/** Called with the exit status, or with the name of the signal that ended the process. */
export type OnChildExit = (status: number | null, signal: string | null) => void;

/**
 * Starts a process. It goes on when this one ends.
 * @returns its pid
 * @throws MESH_KERNEL_REFUSED when there is no such program
 */
export function startChild({ argv, directory, env, output, netns }: Child, onExit: OnChildExit): number {
  const nothing = openSync('/dev/null', 'r+');
  try {
    const out = output ?? nothing;
    const pid = startCommand(argv, [nothing, out, out], { netns, env, directory, hasOwnSession: true });
    watch(pid, onExit);
    return pid;
  } finally {
    closeSync(nothing);
  }
}

/** Without a look at its status, a process that has ended stays in the process table. */
function watch(pid: number, onExit: OnChildExit): void {
  const descriptor: number = pidfdOpen(SYS_PIDFD_OPEN, pid, 0);
  const tell = (): boolean => {
    const exit = exitOf(pid);
    if (exit === undefined) return false;
    onExit(exit.status ?? null, exit.signal === undefined ? null : (SIGNAL_NAMES.get(exit.signal) ?? null));
    return true;
  };
  if (descriptor < 0) {
    const timer = setInterval(() => tell() && clearInterval(timer), LOOK_MS).unref();
    return;
  }
  const poll = koffi.node.poll(descriptor, { readable: true }, () => {
    if (!tell()) return;
    poll.close();
    closeSync(descriptor);
  });
  poll.unref();
}
