/** Packets of a VXLAN whose sender lies: about its outer source address, or about its inner Ethernet address. */
import { setImmediate as runEventLoop } from 'node:timers/promises';
import { libc } from '../../src/kernel/libc.ts';
import { linkAddress, openPacketSocket } from '../../src/kernel/sockets/packet-socket.ts';
import type { Ipv4 } from '../../src/model/address/ipv4.ts';
import { type Mac, macToBytes } from '../../src/model/address/mac.ts';
import { inside, ip } from './namespaces.ts';

/** An outer source address that is not the sender's, and the receiver. */
export interface Forgery {
  /** Path of the sender's namespace. Its NIC is `eth0`. */
  readonly netns: string;
  readonly vni: number;
  readonly from: Ipv4;
  readonly to: Ipv4;
  /** The Ethernet address that a receiver learns from the packets. */
  readonly mac: Mac;
}

const FORGED = 3;
/** Waits for the answer to ARP. The packets that waited for it are with the receiver then: a veth has no queue. */
const UNTIL_SENT =
  'for i in $(seq 100); do ip neighbour show dev eth0 | grep -q lladdr && exit; sleep 0.1; done; exit 1';

/** Sends VXLAN packets with broadcast frames in them. Leaves no device and no address behind. */
export async function forge({ netns, vni, from, to, mac }: Forgery): Promise<void> {
  const tunnel = `type vxlan id ${vni} dstport 4789 local ${from} remote ${to}`;
  ip(netns, `address add ${from}/32 dev eth0`, `link add forged address ${mac} ${tunnel}`, 'link set forged up');
  try {
    await broadcast(netns, 'forged', Array(FORGED).fill(mac));
    inside(netns, 'sh', '-c', UNTIL_SENT);
  } finally {
    ip(netns, 'link delete forged', `address delete ${from}/32 dev eth0`);
  }
}

/** Broadcasts frames on a device, each from another made-up Ethernet address. */
export async function makeUpMacs(netns: string, device: string, count: number): Promise<void> {
  const macs = Array.from({ length: count }, (_, number) => {
    return `06:00:${number.toString(16).padStart(8, '0').replace(/../g, '$&:').slice(0, -1)}` as Mac;
  });
  await broadcast(netns, device, macs);
}

const BROADCAST = 'ff:ff:ff:ff:ff:ff' as Mac;
/** An experimental protocol (IEEE 802, 0x88b5), which no host answers. */
const ETHERTYPE = 0x88b5;
const FRAME_BYTES = 60;
/** Sent before other work of this process runs. */
const AT_ONCE = 500;

/** Broadcasts a frame from each of the addresses. */
async function broadcast(netns: string, device: string, from: readonly Mac[]): Promise<void> {
  const [link] = JSON.parse(inside(netns, 'ip', '-j', 'link', 'show', device)) as [{ readonly ifindex: number }];
  const fd = openPacketSocket({ device, index: link.ifindex, hears: 'frames', netns });
  const address = linkAddress(link.ifindex);
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.set(macToBytes(BROADCAST), 0);
  frame.writeUInt16BE(ETHERTYPE, 12);
  try {
    for (const [number, mac] of from.entries()) {
      frame.set(macToBytes(mac), 6);
      // A frame that finds a full queue is lost, as on any wire.
      libc.sendto(fd, frame, frame.length, 0, address, address.length);
      if (number % AT_ONCE === 0) await runEventLoop();
    }
  } finally {
    libc.close(fd);
  }
}
