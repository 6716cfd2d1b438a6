/**
 * Announcements of a station that is at another place now: gratuitous ARP (RFC 5227 §2.3) and unsolicited neighbour advertisements
 * (RFC 4861 §7.2.6). Bridges and VXLAN devices that learn take the new way from them, and neighbours keep the address.
 */
import { type Ipv4, ipv4ToBytes } from '../../model/address/ipv4.ts';
import { ipv6ToBytes, parseIpv6 } from '../../model/address/ipv6.ts';
import { type Mac, macToBytes } from '../../model/address/mac.ts';
import { type Ip, isIpv6 } from '../ip.ts';
import { failed, libc } from '../libc.ts';
import { ARP_FRAME_BYTES } from './arp.ts';
import { BROADCAST_MAC, ETHERNET_BYTES, ETHERTYPE, encodeEthernet } from './ethernet.ts';
import { encodeNeighbourFrame, groupMac } from './neighbour-frame.ts';
import { linkAddress, openPacketSocket } from './packet-socket.ts';

/** Hardware type Ethernet, protocol IPv4, addresses of 6 and 4 bytes, operation request. */
const ARP_REQUEST = Buffer.from('0001080006040001', 'hex');
const ALL_NODES = parseIpv6('ff02::1');
const ADVERTISEMENT = 136;
/** The flag by which receivers replace what they know. */
const OVERRIDE = 0x20;
const TARGET_LINK_LAYER_ADDRESS = 2;

/** The frame by which a station tells everybody of one of its addresses. */
export function encodeAnnouncement(mac: Mac, address: Ip): Buffer {
  if (!isIpv6(address)) return encodeGratuitousArp(mac, address);
  const message = Buffer.alloc(32);
  message.set([ADVERTISEMENT, 0, 0, 0, OVERRIDE], 0);
  message.set(ipv6ToBytes(address), 8);
  message.set([TARGET_LINK_LAYER_ADDRESS, 1, ...macToBytes(mac)], 24);
  return encodeNeighbourFrame({ mac, ipv6: address }, { mac: groupMac(ALL_NODES), ipv6: ALL_NODES }, message);
}

function encodeGratuitousArp(mac: Mac, address: Ipv4): Buffer {
  const arp = Buffer.alloc(ARP_FRAME_BYTES - ETHERNET_BYTES);
  ARP_REQUEST.copy(arp);
  arp.set(macToBytes(mac), 8);
  for (const at of [14, 24]) arp.set(ipv4ToBytes(address), at);
  return encodeEthernet({ from: mac, to: BROADCAST_MAC, type: ETHERTYPE.arp }, arp);
}

/**
 * Sends frames out of a device.
 * @param netns path of the device's namespace; the process's own when absent
 * @throws MESH_KERNEL_REFUSED (ENETDOWN, ENODEV)
 */
export function sendFrames(
  link: { readonly index: number; readonly name: string },
  frames: readonly Uint8Array[],
  netns?: string,
): void {
  const place = { device: link.name, index: link.index, ...(netns !== undefined && { netns }) };
  const fd = openPacketSocket({ ...place, hears: 'frames', filter: [{ take: false }] });
  try {
    const address = linkAddress(link.index);
    for (const frame of frames) {
      if (libc.sendto(fd, frame, frame.length, 0, address, address.length) < 0)
        throw failed('send', `through ${link.name}`);
    }
  } finally {
    libc.close(fd);
  }
}

/** Announces a guest with all its addresses. @throws MESH_KERNEL_REFUSED */
export function announceGuest(
  through: { readonly index: number; readonly name: string },
  mac: Mac,
  addresses: readonly Ip[],
): void {
  sendFrames(
    through,
    addresses.map((address) => encodeAnnouncement(mac, address)),
  );
}
