/**
 * The directories of a process are private, whoever starts the process and with whatever umask. Members, leases and settings
 * of a cluster are for root and its group, keys for root alone.
 */
import { chmod, lstat, mkdir, readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** Where a process keeps its files (`Paths`). */
export interface PrivateDirectories {
  readonly state: string;
  readonly run: string;
  readonly logs: string;
}

/** Nothing for others, and no writing for the group. */
const UMASK = 0o027;
/** dnsmasq, as its own user, must reach the boot loaders below this directory. It cannot list it. */
const STATE_MODE = 0o711;
const RUN_MODE = 0o750;

/**
 * Permissions that files and directories lose below the state directory, by the beginning of their path; the first row that
 * fits counts.
 */
const STATE_RULES: readonly (readonly [path: RegExp, lost: number])[] = [
  // Each machine on a boot segment may fetch these; dnsmasq reads the loaders, and apt its packages, as users of their own.
  [/^images(?:\/|$)/, 0],
  [/^boot(?:\/tftp(?:\/|$)|$)/, 0],
  // Files of services have the permissions that the services need, which run as users of their own.
  [/^services(?:\/files(?:\/|$)|$)/, 0],
  [/^keys\/.*\.pub$/, UMASK],
  [/^keys(?:\/|$)/, 0o077],
  [/^/, UMASK],
];

/**
 * Makes the directories of this process, sets its umask, and takes permissions from files that are there already: an earlier
 * version, or another start, may have given more. A file that cannot be changed stays as it is.
 */
export async function claimPrivateDirectories({ state, run, logs }: PrivateDirectories): Promise<void> {
  // What is above belongs to the system, and keeps its usual permissions.
  await Promise.all([state, run].map((directory) => mkdir(dirname(directory), { recursive: true })));
  process.umask(UMASK);
  await Promise.all([mkdir(state, { recursive: true }), mkdir(run, { recursive: true, mode: RUN_MODE })]);
  await attempt(() => chmod(state, STATE_MODE));
  await narrowBelow(state, (path) => STATE_RULES.find(([beginning]) => beginning.test(path))?.[1] ?? UMASK);
  // The sockets are open to the group.
  for (const directory of [run, logs]) {
    await narrow(directory, UMASK);
    await narrowBelow(directory, () => 0o007);
  }
}

async function narrowBelow(directory: string, lostAt: (path: string) => number): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    await narrow(path, lostAt(relative(directory, path)));
  }
}

async function narrow(path: string, lost: number): Promise<void> {
  await attempt(async () => {
    const { mode } = await lstat(path);
    const isLink = (mode & 0o170000) === 0o120000;
    if ((mode & lost) !== 0 && !isLink) await chmod(path, mode & 0o7777 & ~lost);
  });
}

async function attempt(change: () => Promise<void>): Promise<void> {
  // A temporary file that is gone by now, or a file system that is read-only.
  await change().catch(() => {});
}
