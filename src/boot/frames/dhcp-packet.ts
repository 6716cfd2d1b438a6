/**
 * DHCP messages in bytes (RFC 2131 §2; options in RFC 2132, PXE's options in RFC 4578 and the PXE specification 2.1). A
 * received packet is untrusted: every length in it is checked, and options that cannot be read are left out.
 */
import { type Ipv4, ipv4FromBytes, ipv4ToBytes } from '../../model/address/ipv4.ts';
import { type Mac, macFromHex, macToBytes } from '../../model/address/mac.ts';

/** Numbers of the options that Meshwork reads or writes. */
export const OPTION = {
  subnetMask: 1,
  router: 3,
  vendorEncapsulated: 43,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  message: 56,
  maxSize: 57,
  vendorClass: 60,
  bootFile: 67,
  userClass: 77,
  clientArchitecture: 93,
  networkInterface: 94,
  machineId: 97,
  ipxe: 175,
} as const;

/** A decoded DHCP message. The fields have the names of RFC 2131 §2; an address that is not set is 0.0.0.0. */
export interface DhcpPacket {
  /** 1 from clients, 2 from servers. */
  readonly op: 1 | 2;
  readonly xid: number;
  readonly secs: number;
  /** The client asks the server to answer by broadcast. */
  readonly broadcast: boolean;
  readonly ciaddr: Ipv4;
  readonly yiaddr: Ipv4;
  readonly siaddr: Ipv4;
  readonly giaddr: Ipv4;
  readonly chaddr: Mac;
  /** Text; '' if the field carries options instead (option 52). */
  readonly sname: string;
  /** Text; '' if the field carries options instead (option 52). */
  readonly file: string;
  /** Values by option number. If an option occurs several times, its parts are joined (RFC 3396). */
  readonly options: ReadonlyMap<number, Buffer>;
}

const NO_ADDRESS = '0.0.0.0' as Ipv4;
const FIXED_BYTES = 236;
const COOKIE = 0x63825363;
const OPTIONS_AT = FIXED_BYTES + 4;
const SNAME_AT = 44;
const FILE_AT = 108;
const ETHERNET = 1;
const BROADCAST_FLAG = 0x8000;
const PAD = 0;
const END = 255;
/** Some receivers drop shorter messages (RFC 1542 §2.1). */
const MIN_BYTES = 300;

/**
 * Decodes the payload of a UDP datagram.
 * @returns undefined if it is not a DHCP message of an Ethernet client
 */
export function decodeDhcp(bytes: Buffer): DhcpPacket | undefined {
  if (bytes.length < OPTIONS_AT || bytes.readUInt32BE(FIXED_BYTES) !== COOKIE) return undefined;
  const op = bytes[0];
  if ((op !== 1 && op !== 2) || bytes[1] !== ETHERNET || bytes[2] !== 6) return undefined;
  const options = new Map<number, Buffer>();
  readOptions(bytes.subarray(OPTIONS_AT), options);
  // Option 52 says which fields hold further options. It counts only in the first field. `file` is read before `sname`.
  const overload = options.get(OPTION.overload)?.[0] ?? 0;
  const file = bytes.subarray(FILE_AT, FIXED_BYTES);
  const sname = bytes.subarray(SNAME_AT, FILE_AT);
  if (overload & 1) readOptions(file, options);
  if (overload & 2) readOptions(sname, options);
  return {
    op,
    xid: bytes.readUInt32BE(4),
    secs: bytes.readUInt16BE(8),
    broadcast: (bytes.readUInt16BE(10) & BROADCAST_FLAG) !== 0,
    ciaddr: ipv4FromBytes(bytes.subarray(12, 16)),
    yiaddr: ipv4FromBytes(bytes.subarray(16, 20)),
    siaddr: ipv4FromBytes(bytes.subarray(20, 24)),
    giaddr: ipv4FromBytes(bytes.subarray(24, 28)),
    chaddr: macFromHex(bytes.toString('hex', 28, 34)),
    sname: overload & 2 ? '' : textOf(sname),
    file: overload & 1 ? '' : textOf(file),
    options,
  };
}

function readOptions(field: Buffer, into: Map<number, Buffer>): void {
  for (let at = 0; at < field.length; ) {
    const code = field[at++];
    if (code === undefined || code === END) return;
    if (code === PAD) continue;
    const length = field[at++];
    if (length === undefined || at + length > field.length) return;
    const value = field.subarray(at, at + length);
    const before = into.get(code);
    into.set(code, before === undefined ? Buffer.from(value) : Buffer.concat([before, value]));
    at += length;
  }
}

/** The fields of a message to be encoded. An absent number or address is written as 0, an absent text as ''. */
export interface DhcpFields extends Partial<Omit<DhcpPacket, 'op' | 'chaddr' | 'options'>> {
  readonly op: 1 | 2;
  readonly chaddr: Mac;
  readonly options: Iterable<readonly [code: number, value: Uint8Array]>;
}

/** Encodes a message with its options in the order given. An option of more than 255 bytes is split (RFC 3396). */
export function encodeDhcp(fields: DhcpFields): Buffer {
  const fixed = Buffer.alloc(OPTIONS_AT);
  fixed.set([fields.op, ETHERNET, 6], 0);
  fixed.writeUInt32BE(fields.xid ?? 0, 4);
  fixed.writeUInt16BE(fields.secs ?? 0, 8);
  fixed.writeUInt16BE(fields.broadcast ? BROADCAST_FLAG : 0, 10);
  const { ciaddr = NO_ADDRESS, yiaddr = NO_ADDRESS, siaddr = NO_ADDRESS, giaddr = NO_ADDRESS } = fields;
  for (const [index, address] of [ciaddr, yiaddr, siaddr, giaddr].entries()) {
    fixed.set(ipv4ToBytes(address), 12 + 4 * index);
  }
  fixed.set(macToBytes(fields.chaddr), 28);
  // Both fields end with a NUL.
  fixed.write(fields.sname ?? '', SNAME_AT, FILE_AT - SNAME_AT - 1, 'latin1');
  fixed.write(fields.file ?? '', FILE_AT, FIXED_BYTES - FILE_AT - 1, 'latin1');
  fixed.writeUInt32BE(COOKIE, FIXED_BYTES);
  const parts: Uint8Array[] = [fixed];
  for (const [code, value] of fields.options) {
    for (let at = 0; at === 0 || at < value.length; at += 255) {
      const part = value.subarray(at, at + 255);
      parts.push(Uint8Array.of(code, part.length), part);
    }
  }
  parts.push(Uint8Array.of(END));
  const bytes = Buffer.concat(parts);
  return bytes.length < MIN_BYTES ? Buffer.concat([bytes], MIN_BYTES) : bytes;
}

/** The text before the first NUL. Each byte outside printable ASCII becomes `?`, so that no terminal obeys it. */
export function textOf(bytes: Buffer): string {
  const nul = bytes.indexOf(0);
  return bytes.toString('latin1', 0, nul < 0 ? bytes.length : nul).replace(/[^\x20-\x7e]/g, '?');
}

/** The first address in an option that holds one or more. @returns undefined if the option is absent or malformed */
export function addressOption(packet: DhcpPacket, code: number): Ipv4 | undefined {
  const value = packet.options.get(code);
  return value === undefined || value.length < 4 || value.length % 4 !== 0
    ? undefined
    : ipv4FromBytes(value.subarray(0, 4));
}

/** The options inside another option such as 43 or 175, which holds them as code, length and value. */
export function encapsulated(value: Buffer): ReadonlyMap<number, Buffer> {
  const options = new Map<number, Buffer>();
  readOptions(value, options);
  return options;
}
