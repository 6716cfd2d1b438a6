/** Packets of a VXLAN whose sender lies: about its outer source address, or about its inner Ethernet address. */
import { setImmediate as runEventLoop } from 'node:timers/promises';
import { libc } from '../../../src/kernel/libc.ts';
import { linkAddress, openPacketSocket } from '../../../src/kernel/sockets/packet-socket.ts';
import type { Ipv4 } from '../../../src/model/address/ipv4.ts';
import { type Mac, macToBytes } from '../../../src/model/address/mac.ts';
import { inside } from '../../kit/namespaces.ts';

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

/** Sends three VXLAN packets, each with an echo request for all nodes. Leaves no device and no address behind. */
export function forge({ netns, vni, from, to, mac }: Forgery): void {
  const run = (...command: string[]): string => inside(netns, ...command);
  const tunnel = ['type', 'vxlan', 'id', String(vni), 'dstport', '4789', 'local', from, 'remote', to];
  run('ip', 'address', 'add', `${from}/32`, 'dev', 'eth0');
  try {
    run('ip', 'link', 'add', 'forged', 'address', mac, 'mtu', '1380', 'addrgenmode', 'none', ...tunnel);
    run('ip', 'address', 'add', 'fe80::bad/64', 'dev', 'forged', 'nodad');
    run('ip', 'link', 'set', 'forged', 'up');
    run('sh', '-c', 'ping -6 -c 3 -i 0.01 -W 1 -I forged ff02::1 >/dev/null || true');
  } finally {
    run('sh', '-c', `ip link delete forged; ip address delete ${from}/32 dev eth0`);
  }
}

const BROADCAST = 'ff:ff:ff:ff:ff:ff' as Mac;
/** An experimental protocol (IEEE 802, 0x88b5), which no host answers. */
const ETHERTYPE = 0x88b5;
const FRAME_BYTES = 60;
/** Sent before other work of this process runs. */
const AT_ONCE = 500;

/** Broadcasts frames on a device, each from another made-up Ethernet address. */
export async function makeUpMacs(netns: string, device: string, count: number): Promise<void> {
  const [link] = JSON.parse(inside(netns, 'ip', '-j', 'link', 'show', device)) as [{ readonly ifindex: number }];
  const fd = openPacketSocket({ device, index: link.ifindex, hears: 'frames', netns });
  const address = linkAddress(link.ifindex);
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.set(macToBytes(BROADCAST), 0);
  frame.writeUInt8(0x06, 6);
  frame.writeUInt16BE(ETHERTYPE, 12);
  try {
    for (let number = 0; number < count; number++) {
      frame.writeUInt32BE(number, 8);
      // A frame that finds a full queue is lost, as on any wire.
      libc.sendto(fd, frame, frame.length, 0, address, address.length);
      if (number % AT_ONCE === 0) await runEventLoop();
    }
  } finally {
    libc.close(fd);
  }
}
