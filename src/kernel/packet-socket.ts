/** Packet sockets (packet(7)): tied to a link by its index. */
import { failed, libc } from './libc.ts';

export const AF_PACKET = 17;
export const ETH_P_ALL = 0x0003;
export const ETH_P_IP = 0x0800;
/** `struct sockaddr_ll`. */
export const SOCKADDR_LL_BYTES = 20;

/** @throws MESH_KERNEL_REFUSED */
export function bindToLink(
  fd: number,
  { device, index }: { readonly device: string; readonly index: number },
  protocol: number,
): void {
  const address = linkAddress(index, protocol);
  if (libc.bind(fd, address, address.length) < 0) throw failed('bind a socket to', device);
}

/** `struct sockaddr_ll`: family, protocol, index. */
export function linkAddress(index: number, protocol: number): Buffer {
  const bytes = Buffer.alloc(SOCKADDR_LL_BYTES);
  bytes.writeUInt16LE(AF_PACKET, 0);
  bytes.writeUInt16BE(protocol, 2);
  bytes.writeInt32LE(index, 4);
  return bytes;
}
