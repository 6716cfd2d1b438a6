/**
 * ARP probes (RFC 5227 §1.1): who has an IPv4 address on a segment? The sender is 0.0.0.0, so that no host learns from the
 * probe. Every network card that has the address answers; two answers are two cards with one address.
 */
import { type Ipv4, ipv4FromBytes, ipv4ToBytes } from '../../model/address/ipv4.ts';
import { type Mac, macFromHex, macToBytes } from '../../model/address/mac.ts';
import { BROADCAST_MAC, ETHERNET_BYTES, ETHERTYPE, encodeEthernet } from './ethernet.ts';
import { FrameSocket } from './frame-socket.ts';
import type { FilterStep } from './packet-filter.ts';

/** Of frames without padding. */
export const ARP_FRAME_BYTES = 42;
/** Hardware type Ethernet, protocol IPv4, addresses of 6 and 4 bytes, operation request. */
const ARP_REQUEST = Buffer.from('0001080006040001', 'hex');
const REPLY = 2;
const OPERATION_AT = ETHERNET_BYTES + 6;
const SENDER_AT = ETHERNET_BYTES + 8;

/** Takes ARP replies and no other frame. */
const REPLIES: readonly FilterStep[] = [
  { load: 'half', offset: 12 },
  { equal: ETHERTYPE.arp, no: 'drop' },
  { load: 'half', offset: OPERATION_AT },
  { equal: REPLY, no: 'drop' },
  { take: true },
  { at: 'drop', take: false },
];

/** Encodes a probe as a whole frame, padded with zeros to `frameBytes`. @param mac the sending NIC's */
export function encodeArpProbe(mac: Mac, target: Ipv4, frameBytes = ARP_FRAME_BYTES): Buffer {
  const arp = Buffer.alloc(frameBytes - ETHERNET_BYTES);
  ARP_REQUEST.copy(arp);
  arp.set(macToBytes(mac), 8);
  arp.set(ipv4ToBytes(target), 24);
  return encodeEthernet({ from: mac, to: BROADCAST_MAC, type: ETHERTYPE.arp }, arp);
}

/**
 * Probes addresses on a segment, and collects answers until the timeout.
 * @returns the Ethernet addresses that answered for each of them; none for one that nobody has
 * @throws MESH_KERNEL_REFUSED (EPERM: not root; ENODEV, ENETDOWN)
 */
export async function probeAddresses(
  link: { readonly index: number; readonly mac: Mac },
  targets: readonly Ipv4[],
  { timeoutMs, netns }: { readonly timeoutMs: number; readonly netns?: string },
): Promise<ReadonlyMap<Ipv4, ReadonlySet<Mac>>> {
  const owners = new Map(targets.map((target) => [target, new Set<Mac>()]));
  const { promise: failure, reject } = Promise.withResolvers<never>();
  const socket = FrameSocket.open({
    link: link.index,
    filter: REPLIES,
    ...(netns !== undefined && { netns }),
    onFrame: ({ bytes }) => {
      if (bytes.length < ARP_FRAME_BYTES) return;
      const mac = macFromHex(bytes.toString('hex', SENDER_AT, SENDER_AT + 6));
      owners.get(ipv4FromBytes(bytes.subarray(SENDER_AT + 6, SENDER_AT + 10)))?.add(mac);
    },
    onError: reject,
  });
  try {
    for (const target of targets) socket.send(encodeArpProbe(link.mac, target));
    await Promise.race([failure, new Promise((resolve) => setTimeout(resolve, timeoutMs))]);
    return owners;
  } finally {
    socket.close();
  }
}
