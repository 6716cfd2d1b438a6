/**
 * Asks a whole link who has an address of a mesh, by one VXLAN packet to the broadcast address. Answers are taken by a
 * packet socket, that is, before any firewall of this machine: also those of machines that nothing here speaks with.
 */
import koffi from 'koffi';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { VXLAN_PORT } from '../../model/network/network.ts';
import { AF_INET, failed, libc, SOCK_DGRAM, SOL_SOCKET } from '../libc.ts';
import { openPacketSocket } from './packet-socket.ts';
import { bindToAddress, bindToDevice, openSocket, setOption, sockaddr } from './socket.ts';
import { decodeAdvertiser, encodeSolicitation, type Solicitation } from './solicitation.ts';

export interface InquiryLink {
  /** The port on it, by name and index. */
  readonly device: string;
  readonly index: number;
  readonly ipv4: Ipv4;
  readonly broadcast: Ipv4;
}

const SO_BROADCAST = 6;
const PACKET_BYTES = 256;

/**
 * @param netns path of the namespace; the process's own when absent
 * @returns the underlay addresses of all others who answered within the time
 * @throws MESH_KERNEL_REFUSED (EPERM: not root; ENODEV)
 */
export async function askUnderlay(
  link: InquiryLink,
  solicitation: Solicitation,
  { timeoutMs, netns }: { readonly timeoutMs: number; readonly netns?: string },
): Promise<Ipv4[]> {
  // Everything that comes in meanwhile passes this socket; an answer that was pushed out costs one finding.
  const answers = openPacketSocket({ ...link, hears: 'ipv4', ...(netns !== undefined && { netns }) });
  try {
    send(link, encodeSolicitation(solicitation), netns);
    const others = new Set<Ipv4>();
    const take = () => {
      for (const packet of packetsOf(answers)) {
        const from = decodeAdvertiser(packet, solicitation);
        if (from !== undefined && from !== link.ipv4) others.add(from);
      }
    };
    const poll = koffi.node.poll(answers, { readable: true }, take);
    await new Promise((resolve) => setTimeout(resolve, timeoutMs));
    poll.close();
    // On a busy machine the time is over before what came in it was read.
    take();
    return [...others];
  } finally {
    libc.close(answers);
  }
}

function send(link: InquiryLink, payload: Buffer, netns: string | undefined): void {
  const to = sockaddr(link.broadcast, VXLAN_PORT);
  const fd = openSocket({ domain: AF_INET, type: SOCK_DGRAM, protocol: 0 }, netns, (socket) => {
    setOption(socket, SOL_SOCKET, SO_BROADCAST, 1, 'SO_BROADCAST');
    bindToDevice(socket, link.device);
    bindToAddress(socket, link.ipv4, 0);
    if (libc.sendto(socket, payload, payload.length, 0, to, to.length) < 0) throw failed('send to', link.broadcast);
  });
  libc.close(fd);
}

function* packetsOf(fd: number): Generator<Buffer> {
  const bytes = Buffer.alloc(PACKET_BYTES);
  for (;;) {
    const length: number = libc.recv(fd, bytes, bytes.length, 0);
    if (length < 0) return;
    yield bytes.subarray(0, length);
  }
}
