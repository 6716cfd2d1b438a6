/** A UDP datagram with a wrong checksum, as a network card with an offload bug sends it. */
import { AF_INET, failed, libc, SOCK_RAW } from '../../../src/kernel/libc.ts';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { openSocket, sockaddr } from '../../../src/kernel/sockets/socket.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';

const IPPROTO_UDP = 17;
const DISCARD_PORT = 9;

/** Sends the datagram from the host to itself. */
export function spoiltDatagram({ netns, member }: LabHost): void {
  const payload = Buffer.from('spoilt');
  const datagram = Buffer.alloc(8 + payload.length);
  datagram.writeUInt16BE(DISCARD_PORT, 0);
  datagram.writeUInt16BE(DISCARD_PORT, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  datagram.writeUInt16BE(0xbad, 6);
  datagram.set(payload, 8);
  const to = sockaddr(member.ipv4, 0);
  const fd = openSocket({ domain: AF_INET, type: SOCK_RAW, protocol: IPPROTO_UDP }, netnsPath(netns), (socket) => {
    if (libc.sendto(socket, datagram, datagram.length, 0, to, to.length) < 0) throw failed('send', member.ipv4);
  });
  libc.close(fd);
}
