/**
 * DHCP messages (RFC 2131 §2, options RFC 2132; PXE's in RFC 4578 and the PXE specification 2.1). What arrives is a
 * stranger's: no length in it is trusted, and what cannot be read is left out.
 */
import { type Ipv4, ipv4FromBytes, ipv4ToBytes } from '../../model/address/ipv4.ts';
import { type Mac, macFromHex, macToBytes } from '../../model/address/mac.ts';

/** Option numbers that we read or write. */
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
  maxSize: 57,
  vendorClass: 60,
  bootFile: 67,
  userClass: 77,
  clientArchitecture: 93,
  networkInterface: 94,
  machineId: 97,
  ipxe: 175,
} as const;

export interface DhcpPacket {
  /** 1 from clients, 2 from servers. */
  readonly op: 1 | 2;
  readonly xid: number;
  readonly secs: number;
  readonly broadcast: boolean;
  readonly ciaddr: Ipv4;
  readonly yiaddr: Ipv4;
  readonly siaddr: Ipv4;
  readonly giaddr: Ipv4;
  readonly chaddr: Mac;
  /** The `sname` and `file` fields as text, when they do not carry options (52). */
  readonly sname: string;
  readonly file: string;
  /** By number; the parts of one that is given several times are joined (RFC 3396). */
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
/** Some receivers drop what is shorter (RFC 1542 §2.1). */
const MIN_BYTES = 300;

/** @returns undefined for what is no DHCP message of an Ethernet client */
export function decodeDhcp(bytes: Buffer): DhcpPacket | undefined {
  if (bytes.length < OPTIONS_AT || bytes.readUInt32BE(FIXED_BYTES) !== COOKIE) return undefined;
  const op = bytes[0];
  if ((op !== 1 && op !== 2) || bytes[1] !== ETHERNET || bytes[2] !== 6) return undefined;
  const options = new Map<number, Buffer>();
  readOptions(bytes.subarray(OPTIONS_AT), options);
  // Which fields hold further options is itself an option, of the first field only; `file` is read before `sname`.
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

export interface DhcpFields extends Partial<Omit<DhcpPacket, 'op' | 'chaddr' | 'options'>> {
  readonly op: 1 | 2;
  readonly chaddr: Mac;
  readonly options: Iterable<readonly [code: number, value: Uint8Array]>;
}

/** Options in the order given; one of more than 255 bytes is split (RFC 3396). */
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

/** Up to the first NUL, without what a terminal would obey. */
export function textOf(bytes: Buffer): string {
  const nul = bytes.indexOf(0);
  return bytes.toString('latin1', 0, nul < 0 ? bytes.length : nul).replace(/[^\x20-\x7e]/g, '?');
}

/** The address in an option of exactly four bytes, or the first of a list. */
export function addressOption(packet: DhcpPacket, code: number): Ipv4 | undefined {
  const value = packet.options.get(code);
  return value === undefined || value.length < 4 || value.length % 4 !== 0
    ? undefined
    : ipv4FromBytes(value.subarray(0, 4));
}

/** The options inside another one, such as 43 and 175: code, length, value. */
export function encapsulated(value: Buffer): ReadonlyMap<number, Buffer> {
  const options = new Map<number, Buffer>();
  readOptions(value, options);
  return options;
}
