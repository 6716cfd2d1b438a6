/**
 * All processes that a supervised process has started: by its session, and by its cgroup where this process may make one. A
 * cgroup also holds processes that leave the session. Without a cgroup (systemd's ProtectControlGroups=, a container, a kernel
 * without cgroup v2) the session alone counts, and nobody is told: the process itself is ended all the same.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { findMark, isRunning, type ProcessMark, processesBySession, signalProcess } from './process-mark.ts';

const DIGEST_HEX = 8;
const PREFIX = 'meshwork-';
/** A cgroup that was made a moment ago waits for its process. */
const FORGOTTEN_MS = 60_000;

/** The name of the cgroup of a process: each has its own, since several clusters may run on one machine. */
function groupName(recordFile: string): string {
  return `${PREFIX}${createHash('sha256').update(recordFile).digest('hex').slice(0, DIGEST_HEX)}`;
}

/**
 * Makes the cgroup of a process, below that of this process.
 * @param recordFile the file of the process's record
 * @returns its directory; undefined where that is not possible
 */
export function makeGroup(recordFile: string): string | undefined {
  try {
    const own = ownGroup();
    if (own === undefined) return undefined;
    const directory = join(own, groupName(recordFile));
    removeForgotten(own, directory);
    mkdirSync(directory, { recursive: true });
    return directory;
  } catch {
    return undefined;
  }
}

/** Once for each of our processes is enough, so that nothing piles up. */
let hasLooked = false;

/** Removes old cgroups without a process: whoever killed the process, such as the end of a lab, knew nothing of its cgroup. */
function removeForgotten(own: string, except: string): void {
  if (hasLooked) return;
  hasLooked = true;
  const isOld = (directory: string) => Date.now() - statSync(directory).mtimeMs > FORGOTTEN_MS;
  for (const name of readdirSync(own)) {
    const directory = join(own, name);
    if (!name.startsWith(PREFIX) || directory === except) continue;
    try {
      if (isOld(directory)) rmdirSync(directory);
    } catch {
      // It has a process, or is gone.
    }
  }
}

/**
 * Whether the kernel has killed a process of a cgroup because memory ran out: nothing else tells of it. Ask before the cgroup is
 * removed. Without a cgroup, or without its memory controller, nobody knows.
 */
export function killedForMemory(directory: string | undefined): boolean {
  if (directory === undefined) return false;
  try {
    return /^oom_kill [1-9]/m.test(readFileSync(join(directory, 'memory.events'), 'utf8'));
  } catch {
    return false;
  }
}

/** Moves a process into its cgroup. @returns whether it is there */
export async function joinGroup(directory: string, { pid }: ProcessMark): Promise<boolean> {
  try {
    await writeFile(join(directory, 'cgroup.procs'), String(pid));
    return true;
  } catch {
    // The process has ended, or this process may not move it.
    return false;
  }
}

/** The directory of a record's cgroup, if it is one that this file made for the record: a record is a text on a disk. */
export function groupOf(recordFile: string, directory: string | undefined): string | undefined {
  return directory !== undefined && basename(directory) === groupName(recordFile) ? directory : undefined;
}

/** The processes in a cgroup. */
export function groupMembers(directory: string | undefined): ProcessMark[] {
  if (directory === undefined) return [];
  try {
    const lines = readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
    return lines.flatMap((line) => findMark(Number(line)) ?? []).filter(isRunning);
  } catch {
    return [];
  }
}

/**
 * The other processes in the session of a process. The kernel gives the number of a session to nobody else while the session
 * has a process. So there are none as soon as another process has this number.
 */
export function sessionMembers(leader: ProcessMark): ProcessMark[] {
  const holder = findMark(leader.pid);
  if (holder !== undefined && holder.startTime !== leader.startTime) return [];
  const isOurs = ({ pid, startTime }: ProcessMark) =>
    pid !== leader.pid && Number(startTime) >= Number(leader.startTime);
  return (sessionsNow().get(leader.pid) ?? []).filter(isOurs).filter(isRunning);
}

let sessions: ReturnType<typeof processesBySession> | undefined;

/** One look for all processes that end in the same turn: a node may end a hundred at once. */
function sessionsNow(): ReturnType<typeof processesBySession> {
  if (sessions === undefined) {
    sessions = processesBySession();
    setImmediate(() => {
      sessions = undefined;
    });
  }
  return sessions;
}

/** Kills the processes, and all of a cgroup at once where the kernel can do that (5.14). */
export function killMembers(members: readonly ProcessMark[], directory: string | undefined): void {
  if (directory !== undefined) {
    try {
      writeFileSync(join(directory, 'cgroup.kill'), '1');
    } catch {
      // The kernel is older, or the cgroup is gone. Its processes are among the members.
    }
  }
  for (const member of members) signalProcess(member, 'SIGKILL');
}

/** Removes an empty cgroup. One that is not empty yet is used again at the next start. */
export function removeGroup(directory: string | undefined): void {
  if (directory === undefined) return;
  try {
    rmdirSync(directory);
  } catch {
    // A zombie may still be in it.
  }
}

/** Whether a process is in the network namespace at `path`. So it counts, too, where one of the two cannot be looked at. */
export function isIn({ pid }: ProcessMark, path: string): boolean {
  const [there, wanted] = [inodeOf(`/proc/${pid}/ns/net`), inodeOf(path)];
  return there === undefined || wanted === undefined || there === wanted;
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}

/** The directory of this process's cgroup of version 2. */
function ownGroup(): string | undefined {
  const path = /^0::(\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  // Fields of proc_pid_mountinfo(5): the root of the mount is the fourth, the mount point the fifth.
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => line.includes(' - cgroup2 '));
  const [, , , root = '/', point] = mount?.split(' ') ?? [];
  if (path === undefined || point === undefined) return undefined;
  if (root === '/') return join(point, path);
  return path.startsWith(root) ? join(point, path.slice(root.length)) : undefined;
}
