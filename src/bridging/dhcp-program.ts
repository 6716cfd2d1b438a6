/**
 * The program of a process that says it is a DHCP client. A command line is what a process says of itself, and any login may say
 * anything; what root starts again must be root's own.
 */
import { readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';

const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
/** Where distributions have the name of udhcpc that leads to busybox. */
const LINKS = ['/sbin/udhcpc', '/usr/sbin/udhcpc', '/bin/udhcpc', '/usr/bin/udhcpc'];

/**
 * The file that a process of root runs.
 * @returns undefined where another login runs the process, or can write the file or a directory above it
 */
export function rootsProgram(pid: number): string | undefined {
  try {
    const uids = /^Uid:\t(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]?.split('\t') ?? [''];
    if (uids.some((uid) => uid !== '0')) return undefined;
    // A file that an upgrade has replaced has this behind its name. The new one is at the same place.
    const path = readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
    return isRoots(path) ? path : undefined;
  } catch {
    // The process has ended meanwhile, or its program is not on this machine's disk.
    return undefined;
  }
}

/** Whether only root can change the file. Nobody renames what root has in a sticky directory, such as /tmp. */
function isRoots(path: string): boolean {
  const file = statSync(path);
  if (!file.isFile() || file.uid !== 0 || (file.mode & OTHERS_WRITE) !== 0) return false;
  for (let above = dirname(path); ; above = dirname(above)) {
    const { uid, mode } = statSync(above);
    if (uid !== 0 || ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0)) return false;
    if (above === '/') return true;
  }
}

/** The client that a program is, with the command line that starts it again; undefined where the program is none. */
export function dhcpProgramOf(path: string, argv: readonly string[]): ClientProgram | undefined {
  const [first = '', second = ''] = argv.map((word) => basename(word));
  const file = basename(path);
  if (file === 'dhclient') return { program: 'dhclient', argv: [path, ...argv.slice(1)] };
  if (file === 'udhcpc') return { program: 'udhcpc', argv: [path, ...argv.slice(1)] };
  const isNamed = first === 'udhcpc';
  if (!/^busybox/.test(file) || !(isNamed || second === 'udhcpc')) return undefined;
  const rest = argv.slice(isNamed ? 1 : 2);
  // Under its own name the client is found by `pgrep udhcpc`, as before.
  const link = LINKS.find((candidate) => isLinkTo(path, candidate));
  return { program: 'udhcpc', argv: link === undefined ? [path, 'udhcpc', ...rest] : [link, ...rest] };
}

function isLinkTo(path: string, link: string): boolean {
  try {
    return realpathSync(link) === path;
  } catch {
    return false;
  }
}

/** A client, and its command line with the file of its program in the first place. */
export interface ClientProgram {
  readonly program: 'udhcpc' | 'dhclient';
  readonly argv: readonly string[];
}
