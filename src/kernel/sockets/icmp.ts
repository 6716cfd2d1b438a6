/**
 * ICMP echo in bytes: RFC 792 for IPv4, RFC 4443 for IPv6. Both have type, code and checksum, then identifier and
 * sequence. They differ in the numbers of the types, and in who computes the checksum (for IPv6, the kernel).
 */

import { IP_PROTOCOL, IPV6_BYTES } from './ethernet.ts';

/** The version of IP. */
export type IpFamily = 4 | 6;

/** A received ICMP message about an echo. */
export type EchoMessage =
  | { readonly kind: 'reply'; readonly id: number; readonly sequence: number; readonly payload: Buffer }
  /**
   * A router, or this host, could not forward an echo without fragmenting it. `mtuBytes` is the largest IP packet that
   * it would have forwarded.
   */
  | { readonly kind: 'too-big'; readonly id: number; readonly sequence: number; readonly mtuBytes: number };

/** ICMP types of an echo, and type and code of «too big» (RFC 1191 §4, RFC 4443 §3.2). */
interface EchoNumbers {
  readonly request: number;
  readonly reply: number;
  readonly tooBig: { readonly type: number; readonly code: number };
}

/** ICMP types and codes by IP version (RFC 792, RFC 4443). */
export const ECHO_NUMBERS: Readonly<Record<IpFamily, EchoNumbers>> = {
  4: { request: 8, reply: 0, tooBig: { type: 3, code: 4 } },
  6: { request: 128, reply: 129, tooBig: { type: 2, code: 0 } },
};

/** The bytes of an echo's IP packet beside the payload: the IP header without options, and 8 bytes of ICMP. */
export const ECHO_OVERHEAD_BYTES: Readonly<Record<IpFamily, number>> = { 4: 28, 6: 48 };

const ICMP_BYTES = 8;
const IPV4_MIN_BYTES = 20;

/** An ICMP echo request, without IP header; for IPv6 the kernel fills in the checksum. */
export function encodeEchoRequest(family: IpFamily, id: number, sequence: number, payload: Buffer): Buffer {
  const message = Buffer.alloc(ICMP_BYTES + payload.length);
  message.writeUInt8(ECHO_NUMBERS[family].request, 0);
  message.writeUInt16BE(id, 4);
  message.writeUInt16BE(sequence, 6);
  message.set(payload, ICMP_BYTES);
  if (family === 4) message.writeUInt16BE(internetChecksum(message), 2);
  return message;
}

/**
 * Reads a packet that a raw ICMP socket received: for IPv4 with its IP header, for IPv6 without.
 * @returns undefined when the packet is not about an echo, or is cut short
 */
export function decodeEchoMessage(family: IpFamily, packet: Buffer): EchoMessage | undefined {
  const message = family === 4 ? afterIpv4Header(packet) : packet;
  if (message === undefined || message.length < ICMP_BYTES) return undefined;
  const { reply, tooBig } = ECHO_NUMBERS[family];
  const type = message.readUInt8(0);
  const code = message.readUInt8(1);
  if (type === reply && code === 0) {
    return { kind: 'reply', ...idAndSequence(message), payload: message.subarray(ICMP_BYTES) };
  }
  if (type !== tooBig.type || code !== tooBig.code) return undefined;
  const request = quotedRequest(family, message.subarray(ICMP_BYTES));
  const mtuBytes = family === 4 ? message.readUInt16BE(6) : message.readUInt32BE(4);
  return request && { kind: 'too-big', ...idAndSequence(request), mtuBytes };
}

/** The echo request that an ICMP error quotes, from its ICMP header on; undefined for any other quoted packet. */
function quotedRequest(family: IpFamily, quoted: Buffer): Buffer | undefined {
  const isEcho = family === 4 ? quoted[9] === IP_PROTOCOL.icmp : quoted[6] === IP_PROTOCOL.icmpv6;
  const request = family === 4 ? afterIpv4Header(quoted) : quoted.subarray(IPV6_BYTES);
  if (!isEcho || request === undefined || request.length < ICMP_BYTES) return undefined;
  return request[0] === ECHO_NUMBERS[family].request ? request : undefined;
}

function idAndSequence(message: Buffer): { id: number; sequence: number } {
  return { id: message.readUInt16BE(4), sequence: message.readUInt16BE(6) };
}

function afterIpv4Header(packet: Buffer): Buffer | undefined {
  const headerBytes = ((packet[0] ?? 0) & 0x0f) * 4;
  return headerBytes >= IPV4_MIN_BYTES && packet.length > headerBytes ? packet.subarray(headerBytes) : undefined;
}

/** The Internet checksum (RFC 1071) of an even or odd number of bytes. */
export function internetChecksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}
