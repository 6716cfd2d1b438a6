/** How much a socket holds of what the process has not read yet (socket(7)). */
import { failed, libc, SO_RCVBUFFORCE, SOL_SOCKET } from './libc.ts';

const SO_RCVBUF = 8;

/**
 * Gives a socket a receive buffer of `bytes`. In a user namespace only the machine's root may pass the machine's limit
 * (`net.core.rmem_max`): there the buffer is as large as the limit allows, and overflows sooner.
 * @throws MESH_KERNEL_REFUSED
 */
export function setReceiveBuffer(fd: number, bytes: number): void {
  const value = Buffer.alloc(4);
  value.writeInt32LE(bytes);
  if (libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value, value.length) >= 0) return;
  if (libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, value.length) < 0) throw failed('set', 'SO_RCVBUF');
}
