/** Packets that a hostile guest may send: router advertisements, DHCP offers, and storms of broadcasts. */
import type { Ip } from '../../../src/kernel/ip.ts';
import { AF_INET, AF_INET6, failed, libc, SOCK_DGRAM, SOCK_RAW, SOL_SOCKET } from '../../../src/kernel/libc.ts';
import { bindToAddress, bindToDevice, openSocket, setOption, sockaddr } from '../../../src/kernel/sockets/socket.ts';
import { parseIpv4 } from '../../../src/model/address/ipv4.ts';
import { ipv6ToBytes, parseIpv6 } from '../../../src/model/address/ipv6.ts';

const IPPROTO_ICMPV6 = 58;
const SOL_IPV6 = 41;
const IPV6_MULTICAST_HOPS = 18;
const SO_BROADCAST = 6;
const ALL_NODES = parseIpv6('ff02::1');
const BROADCAST = parseIpv4('255.255.255.255');
const DISCARD_PORT = 9;

/** Sends a router advertisement for half an hour, with a prefix for address configuration (RFC 4861 §4.2, §4.6.2). */
export function advertiseRouter(netns: string, prefix: string): void {
  const message = Buffer.alloc(16 + 32);
  message.writeUInt8(134, 0);
  message.writeUInt8(64, 4);
  message.writeUInt16BE(1800, 6);
  const option = message.subarray(16);
  option.set([3, 4, 64, 0xc0]);
  option.writeUInt32BE(3600, 4);
  option.writeUInt32BE(1800, 8);
  option.set(ipv6ToBytes(parseIpv6(prefix)), 16);
  const fd = openSocket({ domain: AF_INET6, type: SOCK_RAW, protocol: IPPROTO_ICMPV6 }, netns, (socket) => {
    bindToDevice(socket, 'eth0');
    // Receivers accept it only with a hop limit of 255, which proves that it is from their own link.
    setOption(socket, SOL_IPV6, IPV6_MULTICAST_HOPS, 255, 'IPV6_MULTICAST_HOPS');
  });
  send(fd, message, ALL_NODES, 0);
}

/** Broadcasts a DHCPOFFER with an address, a router and a mask (RFC 2131 §2, RFC 2132). */
export function offerLease(netns: string): void {
  const message = Buffer.alloc(300);
  message.set([2, 1, 6, 0]);
  message.writeUInt16BE(0x8000, 10);
  message.set([10, 97, 0, 77], 16);
  message.set([0x63, 0x82, 0x53, 0x63], 236);
  message.set(
    [53, 1, 2, 54, 4, 10, 97, 0, 1, 51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 255, 0, 3, 4, 10, 97, 0, 1, 255],
    240,
  );
  broadcast(netns, 67, 68, [message]);
}

/** Broadcasts `count` small frames, as fast as possible. */
export function storm(netns: string, count: number): void {
  broadcast(netns, 0, DISCARD_PORT, Array(count).fill(Buffer.alloc(8)));
}

function broadcast(netns: string, fromPort: number, toPort: number, messages: readonly Buffer[]): void {
  const fd = openSocket({ domain: AF_INET, type: SOCK_DGRAM, protocol: 0 }, netns, (socket) => {
    bindToDevice(socket, 'eth0');
    setOption(socket, SOL_SOCKET, SO_BROADCAST, 1, 'SO_BROADCAST');
    bindToAddress(socket, parseIpv4('0.0.0.0'), fromPort);
  });
  send(fd, messages, BROADCAST, toPort);
}

function send(fd: number, messages: Buffer | readonly Buffer[], to: Ip, port: number): void {
  const address = sockaddr(to, port);
  try {
    for (const message of [messages].flat()) {
      if (libc.sendto(fd, message, message.length, 0, address, address.length) < 0) throw failed('send to', to);
    }
  } finally {
    libc.close(fd);
  }
}
