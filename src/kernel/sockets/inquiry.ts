/**
 * Asks all machines of an underlay segment who has an address of a mesh, by one VXLAN packet to the broadcast address.
 * A packet socket takes the answers before any firewall of this machine, so that also machines that our firewall does
 * not admit are found.
 */
import koffi from 'koffi';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import { libc } from '../libc.ts';
import { type BroadcastLink, sendBroadcast } from './broadcast.ts';
import { openPacketSocket } from './packet-socket.ts';
import { decodeAdvertiser, encodeSolicitation, type Solicitation } from './solicitation.ts';

/** The segment to ask, and our own NIC and address on it. */
export interface InquiryLink extends BroadcastLink {
  readonly index: number;
}

const PACKET_BYTES = 256;

/**
 * Asks who has the target of `solicitation`, and collects answers until the timeout.
 * @param netns path of the namespace; the process's own when absent
 * @returns the underlay addresses of all other machines that answered
 * @throws MESH_KERNEL_REFUSED (EPERM: no CAP_NET_RAW; ENODEV)
 */
export async function askUnderlay(
  link: InquiryLink,
  solicitation: Solicitation,
  { timeoutMs, netns }: { readonly timeoutMs: number; readonly netns?: string },
): Promise<Ipv4[]> {
  // All IPv4 packets that arrive meanwhile fill this socket's buffer; an answer that does not fit is lost, which costs
  // one finding.
  const answers = openPacketSocket({ ...link, hears: 'ipv4', ...(netns !== undefined && { netns }) });
  try {
    sendBroadcast(link, VXLAN_PORT, encodeSolicitation(solicitation), netns);
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
    // On a busy machine the timeout may end before waiting answers are read.
    take();
    return [...others];
  } finally {
    libc.close(answers);
  }
}

function* packetsOf(fd: number): Generator<Buffer> {
  const bytes = Buffer.alloc(PACKET_BYTES);
  for (;;) {
    const length: number = libc.recv(fd, bytes, bytes.length, 0);
    if (length < 0) return;
    yield bytes.subarray(0, length);
  }
}
