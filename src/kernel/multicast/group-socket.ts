/**
 * UDP to multicast groups on one device. The socket is bound to the device, so that packets come and go only there, and hears the
 * groups of either family that it has joined.
 */
import { createSocket, type Socket } from 'node:dgram';
import type { Ip } from '../ip.ts';
import { isIpv6 } from '../ip.ts';
import { inNetns } from '../netns.ts';
import { boundDatagrams } from '../sockets/listener.ts';

/** Where a socket hears groups. */
export interface GroupSocketPlace {
  readonly device: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly port: number;
  /** Path of the namespace that the device is in; the process's own when absent. */
  readonly netns?: string;
  /** Called with each datagram that comes in. */
  readonly onText: (text: string) => void;
}

const ANY = { ipv4: '0.0.0.0' as Ip, ipv6: '::' as Ip } as const;

/** Hears and says datagrams on one device. */
export class GroupSocket {
  readonly #socket: Socket;
  readonly #place: GroupSocketPlace;

  private constructor(socket: Socket, place: GroupSocketPlace) {
    this.#socket = socket;
    this.#place = place;
  }

  /** @throws MESH_KERNEL_REFUSED (ENODEV, EADDRINUSE, EPERM) */
  static open(place: GroupSocketPlace): GroupSocket {
    const { device, family, port, netns, onText } = place;
    const where = { address: ANY[family], port, device, ...(netns !== undefined && { netns }) };
    const fd = boundDatagrams(where);
    const socket = createSocket(family === 'ipv6' ? 'udp6' : 'udp4');
    // A device that has gone leaves an error behind. The owner of this socket follows the devices.
    socket.on('error', () => {});
    socket.bind({ fd });
    socket.on('message', (data) => onText(data.toString('latin1')));
    socket.unref();
    return new GroupSocket(socket, place);
  }

  /** Hears the group from now on. @throws Error (ENODEV, EADDRNOTAVAIL; ENOBUFS for too many groups) */
  join(group: Ip, own: Ip | undefined): void {
    this.#inside(() => {
      const via = isIpv6(group) ? `::%${this.#place.device}` : own;
      this.#socket.addMembership(group, via);
      this.#socket.setMulticastInterface(via ?? '0.0.0.0');
      this.#socket.setMulticastLoopback(false);
    });
  }

  /** Sends to the group. A packet that cannot be sent is lost, as on any network. */
  say(group: Ip, hops: number, text: string): void {
    try {
      this.#socket.setMulticastTTL(hops);
      this.#socket.send(text, this.#place.port, group, () => {});
    } catch {
      // The device is gone, or going.
    }
  }

  close(): void {
    this.#socket.close();
  }

  #inside(body: () => void): void {
    const { netns } = this.#place;
    if (netns === undefined) body();
    else inNetns(netns, body);
  }
}
