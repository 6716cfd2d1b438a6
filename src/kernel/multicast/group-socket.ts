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
  /** The joined groups. The kernel refuses to join a group a second time, and several users may share one. */
  readonly #joined = new Map<Ip, { readonly via: string | undefined; readonly users: number }>();

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

  /** Hears the group from now on, until it was left as often as it was joined. @throws Error (ENODEV, EADDRNOTAVAIL; ENOBUFS for too many groups) */
  join(group: Ip, own: Ip | undefined): void {
    this.#inside(() => {
      const via = isIpv6(group) ? `::%${this.#place.device}` : own;
      const joined = this.#joined.get(group);
      if (joined === undefined) this.#socket.addMembership(group, via);
      this.#joined.set(group, { via: joined?.via ?? via, users: (joined?.users ?? 0) + 1 });
      this.#socket.setMulticastInterface(via ?? '0.0.0.0');
      this.#socket.setMulticastLoopback(false);
    });
  }

  /** Ends one use of a group: the last one leaves the group. */
  leave(group: Ip): void {
    const joined = this.#joined.get(group);
    if (joined === undefined) return;
    if (joined.users > 1) {
      this.#joined.set(group, { ...joined, users: joined.users - 1 });
      return;
    }
    this.#joined.delete(group);
    try {
      this.#inside(() => this.#socket.dropMembership(group, joined.via));
    } catch {
      // The kernel leaves the group with the device or its address.
    }
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
