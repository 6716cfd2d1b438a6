/** Which processes have a UDP port: /proc/net/udp has the sockets, and /proc/PID/fd says whose they are. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { inNetns } from './netns.ts';

/** A process that listens on a port. */
export interface UdpHolder {
  readonly pid: number;
  /** The name of its program, as `ps` shows it. */
  readonly program: string;
}

/**
 * The processes that listen on a UDP port of the namespace. A port that a device of the kernel has, has no process.
 * @param netns path of the namespace; the process's own when absent
 */
export function udpHolders(port: number, netns?: string): UdpHolder[] {
  const sockets = new Set(netns === undefined ? inodesOf(port) : inNetns(netns, () => inodesOf(port)));
  if (sockets.size === 0) return [];
  return list('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || !list(`/proc/${pid}/fd`).some((fd) => sockets.has(target(`/proc/${pid}/fd/${fd}`)))) {
      return [];
    }
    return [{ pid: Number(pid), program: read(`/proc/${pid}/comm`).trim() }];
  });
}

/** The sockets of the port as links in /proc/PID/fd name them. The columns are those of proc_net_udp(5). */
function inodesOf(port: number): string[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['udp', 'udp6'].flatMap((table) =>
    read(`/proc/thread-self/net/${table}`)
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[1]?.endsWith(local))
      .map((columns) => `socket:[${columns[9]}]`),
  );
}

// A process may end at any moment, and then has no files.
function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function target(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
