/** Who is at the other end of a Unix socket. */
import type { Socket } from 'node:net';
import { libc, SOL_SOCKET } from '../libc.ts';

/** The credentials of the other end (unix(7)): pid, uid and gid, four bytes each. */
const SO_PEERCRED = 17;
const UCRED_BYTES = 12;

/** A process, as it was when it connected. */
export interface UnixPeer {
  readonly pid: number;
  readonly uid: number;
}

/** The process that has connected, by the kernel's word; undefined for a socket that is closed. */
export function unixPeer(socket: Socket): UnixPeer | undefined {
  // Node has no function for the descriptor of a socket.
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd !== 'number' || fd < 0) return undefined;
  const credentials = Buffer.alloc(UCRED_BYTES);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, [UCRED_BYTES]) < 0) return undefined;
  return { pid: credentials.readInt32LE(0), uid: credentials.readUInt32LE(4) };
}
