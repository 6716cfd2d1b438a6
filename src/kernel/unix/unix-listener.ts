/** Who listens at a Unix socket. */
import { closeSync } from 'node:fs';
import { AF_UNIX, libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET } from '../libc.ts';
import { unixAddress } from './unix-address.ts';

/** The credentials of the other end (unix(7)): pid, uid and gid, four bytes each. */
const SO_PEERCRED = 17;
const UCRED_BYTES = 12;

/**
 * The process that called listen(2) at the socket of a path, by the kernel's word. Opens a connection, and closes it at once.
 * @returns undefined when nothing listens there, or its queue is full
 */
export function unixListener(path: string): number | undefined {
  const address = unixAddress(path);
  if (address === undefined) return undefined;
  const fd: number = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  try {
    if (libc.connect(fd, address, address.length) < 0) return undefined;
    const credentials = Buffer.alloc(UCRED_BYTES);
    if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, [UCRED_BYTES]) < 0) return undefined;
    return credentials.readInt32LE(0);
  } finally {
    closeSync(fd);
  }
}
