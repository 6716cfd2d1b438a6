/** Makes an agent miss events: its monitor sockets get the smallest receive buffer that the kernel allows. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import koffi from 'koffi';
import { failed, libc, SO_RCVBUFFORCE, SOL_SOCKET } from '../../../src/kernel/libc.ts';
import { setOption } from '../../../src/kernel/sockets/socket.ts';

/** The kernel rounds this up to 2304 bytes: room for two events. */
const SMALLEST_BYTES = 1;
const USUAL_BYTES = 32 * 1024 * 1024;

const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;
const systemCall = koffi.load(null).func('long syscall(long number, long a, long b, long c)');

/** Shrinks the buffers. @returns a function that restores them, and does nothing if the process has ended */
export function deafen(pid: number): () => void {
  const sockets = monitorSockets(pid);
  if (sockets.length === 0) throw new Error(`process ${pid} listens to no netlink group`);
  for (const fd of sockets) setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, SMALLEST_BYTES, 'SO_RCVBUFFORCE');
  return () => {
    for (const fd of sockets) {
      setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, USUAL_BYTES, 'SO_RCVBUFFORCE');
      libc.close(fd);
    }
  };
}

/** Copies in this process of the descriptors of the agent's rtnetlink sockets that have joined multicast groups. */
function monitorSockets(pid: number): number[] {
  const inodes = new Set(
    readFileSync(`/proc/${pid}/net/netlink`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, protocol, , groups = '']) => protocol === '0' && /[1-9a-f]/.test(groups))
      .map((fields) => fields.at(-1)),
  );
  return readdirSync(`/proc/${pid}/fd`)
    .filter((fd) => inodes.has(/^socket:\[(\d+)\]$/.exec(targetOf(pid, fd))?.[1]))
    .map((fd) => copyOf(pid, Number(fd)));
}

function targetOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return '';
  }
}

function copyOf(pid: number, fd: number): number {
  const process = checked(systemCall(SYS_PIDFD_OPEN, pid, 0, 0), pid);
  try {
    return checked(systemCall(SYS_PIDFD_GETFD, process, fd, 0), pid);
  } finally {
    libc.close(process);
  }
}

function checked(result: number, pid: number): number {
  if (result < 0) throw failed('borrow a socket of', `process ${pid}`);
  return result;
}
