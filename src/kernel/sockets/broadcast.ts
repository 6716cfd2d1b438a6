/** Sends one UDP datagram to all machines of a segment. This machine's own listeners on the device receive it, too. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { AF_INET, failed, libc, SOCK_DGRAM, SOL_SOCKET } from '../libc.ts';
import { bindToAddress, bindToDevice, openSocket, setOption, sockaddr } from './socket.ts';

/** Where the datagram goes. */
export interface BroadcastLink {
  /** Name of the NIC. */
  readonly device: string;
  /** This machine's address there. */
  readonly ipv4: Ipv4;
  /** The broadcast address of the subnet, or 255.255.255.255. */
  readonly broadcast: Ipv4;
}

const SO_BROADCAST = 6;

/**
 * Sends the datagram from any free port.
 * @param netns path of the namespace; the process's own when absent
 * @throws MESH_KERNEL_REFUSED (EPERM: not root; ENODEV, EADDRNOTAVAIL, ENETDOWN)
 */
export function sendBroadcast(
  { device, ipv4, broadcast }: BroadcastLink,
  port: number,
  payload: Buffer,
  netns?: string,
): void {
  const to = sockaddr(broadcast, port);
  const fd = openSocket({ domain: AF_INET, type: SOCK_DGRAM, protocol: 0 }, netns, (socket) => {
    setOption(socket, SOL_SOCKET, SO_BROADCAST, 1, 'SO_BROADCAST');
    bindToDevice(socket, device);
    bindToAddress(socket, ipv4, 0);
    if (libc.sendto(socket, payload, payload.length, 0, to, to.length) < 0) throw failed('send to', broadcast);
  });
  libc.close(fd);
}
