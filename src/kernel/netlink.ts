/**
 * The framing of netlink (RFC 3549 §2; linux/netlink.h): messages of a 16-byte header, a fixed struct and attributes,
 * all padded to 4 bytes. No I/O. Numbers are in the machine's byte order, which is little-endian wherever we run.
 */
import { MeshError } from '../model/error.ts';
import type { Mac } from '../model/mac.ts';
import { type Ip, ipFromBytes, ipToBytes } from './ip.ts';

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
export const NLM_F_DUMP = 0x300;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
/** The first type that is not the framing's own. */
export const NLMSG_MIN_TYPE = 0x10;

const NLMSGERR_ATTR_MSG = 1;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

export const MESSAGE_HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;

function aligned(length: number): number {
  return (length + 3) & ~3;
}

function malformed(what: string): MeshError {
  return new MeshError('MESH_KERNEL_MALFORMED', `the kernel sent a malformed message: ${what}`, {
    operation: 'decode netlink message',
  });
}

/** A link that a request names where the kernel wants its index: `at` is the place of the index in the bytes. */
export interface LinkPlace {
  readonly at: number;
  readonly name: string;
}

/** Writes messages one after the other into one growing buffer. */
export class MessageWriter {
  #bytes = Buffer.alloc(4096);
  #length = 0;
  #message = 0;
  #count = 0;
  readonly #links: LinkPlace[] = [];

  /** What was written; valid until the next write. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Where link indexes are still to be filled in, in ascending order. */
  get links(): readonly LinkPlace[] {
    return this.#links;
  }

  /** How many messages were written. Each carries as its sequence number how many were before it. */
  get count(): number {
    return this.#count;
  }

  begin(type: number, flags: number): void {
    this.#message = this.#take(MESSAGE_HEADER_BYTES);
    this.#bytes.writeUInt16LE(type, this.#message + 4);
    this.#bytes.writeUInt16LE(flags, this.#message + 6);
    this.#bytes.writeUInt32LE(this.#count, this.#message + 8);
  }

  end(): void {
    this.#bytes.writeUInt32LE(this.#length - this.#message, this.#message);
    this.#message = this.#length;
    this.#count++;
  }

  /** Forgets the message that was begun and not ended, if there is one. */
  abandon(): void {
    this.#bytes.fill(0, this.#message, this.#length);
    this.#length = this.#message;
    while ((this.#links.at(-1)?.at ?? -1) >= this.#message) this.#links.pop();
  }

  u8(value: number): void {
    const at = this.#take(1);
    this.#bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.#take(2);
    this.#bytes.writeUInt16LE(value, at);
  }

  u32(value: number): void {
    const at = this.#take(4);
    this.#bytes.writeUInt32LE(value, at);
  }

  /** The index of the link `name`, to be filled in when it is known. */
  linkIndex(name: string): void {
    this.#links.push({ at: this.#take(4), name });
  }

  attributeU8(type: number, value: number): void {
    const at = this.#attribute(type, 1);
    this.#bytes[at] = value;
  }

  attributeU32(type: number, value: number): void {
    const at = this.#attribute(type, 4);
    this.#bytes.writeUInt32LE(value, at);
  }

  /** A port number: network byte order. */
  attributePort(type: number, value: number): void {
    const at = this.#attribute(type, 2);
    this.#bytes.writeUInt16BE(value, at);
  }

  attributeLink(type: number, name: string): void {
    this.#links.push({ at: this.#attribute(type, 4), name });
  }

  /** Text with its closing NUL. */
  attributeText(type: number, text: string): void {
    const length = Buffer.byteLength(text);
    const at = this.#attribute(type, length + 1);
    this.#bytes.write(text, at, length);
  }

  attributeMac(type: number, mac: Mac): void {
    const at = this.#attribute(type, 6);
    for (let i = 0; i < 6; i++) {
      this.#bytes[at + i] = (nibble(mac.charCodeAt(3 * i)) << 4) | nibble(mac.charCodeAt(3 * i + 1));
    }
  }

  attributeIp(type: number, address: Ip): void {
    const bytes = ipToBytes(address);
    const at = this.#attribute(type, bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** An attribute that holds what `body` writes. */
  nested(type: number, body: () => void): void {
    const at = this.#take(ATTRIBUTE_HEADER_BYTES);
    this.#bytes.writeUInt16LE(type | NLA_F_NESTED, at + 2);
    body();
    this.#bytes.writeUInt16LE(this.#length - at, at);
  }

  /** @returns where the payload begins */
  #attribute(type: number, length: number): number {
    const at = this.#take(ATTRIBUTE_HEADER_BYTES + aligned(length));
    this.#bytes.writeUInt16LE(ATTRIBUTE_HEADER_BYTES + length, at);
    this.#bytes.writeUInt16LE(type, at + 2);
    return at + ATTRIBUTE_HEADER_BYTES;
  }

  /** The place of the next `length` bytes, which are zero. May replace `#bytes`, so take first and then write. */
  #take(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#length, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }
}

/** The value of one hex digit, `0`–`9` or `a`–`f`, given as its character code. */
function nibble(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57;
}

/** One message in a buffer: its header, and where its body lies. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Port id of the socket whose request made this; 0 is the kernel itself. */
  readonly portId: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * The messages in what one `recv` gave, or several in a row.
 * @throws MESH_KERNEL_MALFORMED
 */
export function* messages(bytes: Buffer): Generator<Message, void, void> {
  for (let at = 0; at + MESSAGE_HEADER_BYTES <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    if (length < MESSAGE_HEADER_BYTES || length > bytes.length - at) throw malformed(`length ${length}`);
    yield {
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      sequence: bytes.readUInt32LE(at + 8),
      portId: bytes.readUInt32LE(at + 12),
      bytes,
      start: at + MESSAGE_HEADER_BYTES,
      end: at + length,
    };
    at += aligned(length);
  }
}

/** Checks that the body of `message` holds its fixed struct of `length` bytes. */
export function requireStruct(message: Message, length: number): void {
  if (message.end - message.start < length) throw malformed(`type ${message.type} is too short`);
}

/** What the kernel says to a request: errno 0 is success; `text` is its extended acknowledgement. */
export interface Acknowledgement {
  readonly sequence: number;
  readonly errno: number;
  readonly text: string;
}

/** Decodes NLMSG_ERROR and NLMSG_DONE, which both begin with a negative errno. */
export function acknowledgement(message: Message): Acknowledgement {
  requireStruct(message, 4);
  const { bytes, flags, sequence, start, end } = message;
  const errno = Math.abs(bytes.readInt32LE(start));
  if ((flags & NLM_F_ACK_TLVS) === 0) return { sequence, errno, text: '' };
  let attributes = start + 4;
  if (message.type === NLMSG_ERROR) {
    requireStruct(message, 4 + MESSAGE_HEADER_BYTES);
    // The request follows the errno: its header alone when capped.
    attributes += (flags & NLM_F_CAPPED) !== 0 ? MESSAGE_HEADER_BYTES : aligned(bytes.readUInt32LE(start + 4));
  }
  const table = new AttributeTable(NLMSGERR_ATTR_MSG).parse(bytes, attributes, end);
  return { sequence, errno, text: table.text(NLMSGERR_ATTR_MSG) };
}

/**
 * Attributes by type, as the kernel's own nla_parse gives them: of a type that occurs twice, the last. One table is
 * parsed into again and again, since a dump has tens of thousands of them.
 */
export class AttributeTable {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;

  /** @param max the highest type that is looked at */
  constructor(max: number) {
    this.#starts = new Int32Array(max + 1);
    this.#ends = new Int32Array(max + 1);
  }

  /** @throws MESH_KERNEL_MALFORMED when an attribute ends after `end` */
  parse(bytes: Buffer, start: number, end: number): this {
    this.#bytes = bytes;
    this.#starts.fill(-1);
    this.#ends.fill(-1);
    for (let at = start; at + ATTRIBUTE_HEADER_BYTES <= end; ) {
      const length = bytes.readUInt16LE(at);
      if (length < ATTRIBUTE_HEADER_BYTES || length > end - at) throw malformed(`attribute of length ${length}`);
      const type = bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK;
      if (type < this.#starts.length) {
        this.#starts[type] = at + ATTRIBUTE_HEADER_BYTES;
        this.#ends[type] = at + length;
      }
      at += aligned(length);
    }
    return this;
  }

  /** Parses what is inside the attribute `type` of `outer`; an absent one holds nothing. */
  parseNested(outer: AttributeTable, type: number): this {
    return outer.has(type)
      ? this.parse(outer.#bytes, outer.#start(type), outer.#end(type))
      : this.parse(outer.#bytes, 0, 0);
  }

  has(type: number): boolean {
    return this.#start(type) >= 0;
  }

  /** 0 when absent. */
  u8(type: number): number {
    return this.#holds(type, 1) ? this.#bytes.readUInt8(this.#start(type)) : 0;
  }

  /** 0 when absent. */
  u32(type: number): number {
    return this.#holds(type, 4) ? this.#bytes.readUInt32LE(this.#start(type)) : 0;
  }

  /** The `index`th of an array of 32-bit numbers; 0 when it is not so long. */
  u32At(type: number, index: number): number {
    const at = this.#start(type) + 4 * index;
    return this.has(type) && at + 4 <= this.#end(type) ? this.#bytes.readUInt32LE(at) : 0;
  }

  /** Network byte order; 0 when absent. */
  port(type: number): number {
    return this.#holds(type, 2) ? this.#bytes.readUInt16BE(this.#start(type)) : 0;
  }

  /** Up to the first NUL; empty when absent. */
  text(type: number): string {
    if (!this.has(type)) return '';
    const start = this.#start(type);
    const end = this.#end(type);
    const nul = this.#bytes.indexOf(0, start);
    return this.#bytes.toString('utf8', start, nul >= 0 && nul < end ? nul : end);
  }

  /** @returns undefined when absent or not an Ethernet address (a tunnel may have 4 or 16 bytes here) */
  mac(type: number): Mac | undefined {
    const start = this.#start(type);
    if (start < 0 || this.#end(type) - start !== 6) return undefined;
    return macAt(this.#bytes, start);
  }

  /** @returns undefined when absent or of neither family's length */
  ip(type: number, skip = 0): Ip | undefined {
    if (!this.has(type)) return undefined;
    return ipFromBytes(this.#bytes.subarray(this.#start(type) + skip, this.#end(type)));
  }

  #holds(type: number, length: number): boolean {
    if (!this.has(type)) return false;
    if (this.#end(type) - this.#start(type) < length) throw malformed(`attribute ${type} is too short`);
    return true;
  }

  #start(type: number): number {
    return this.#starts[type] ?? -1;
  }

  #end(type: number): number {
    return this.#ends[type] ?? -1;
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The caller has checked that six bytes are there. */
function macAt(bytes: Buffer, at: number): Mac {
  let text = HEX[bytes[at] ?? 0] ?? '';
  for (let i = 1; i < 6; i++) text += `:${HEX[bytes[at + i] ?? 0]}`;
  return text as Mac;
}
