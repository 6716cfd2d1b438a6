/** Writes netlink messages and their attributes into one buffer. */
import type { Mac } from '../../model/address/mac.ts';
import { type Ip, ipToBytes } from '../ip.ts';
import { ATTRIBUTE_HEADER_BYTES, aligned, MESSAGE_HEADER_BYTES, NLA_F_NESTED } from './netlink.ts';

/**
 * A link index that is still missing in a request: `at` is the offset of its 4 bytes, `name` the link whose index
 * belongs there.
 */
interface LinkPlace {
  readonly at: number;
  readonly name: string;
}

/**
 * A message that may change which link has the name `name`, or any name when absent. `at` is the offset of its header.
 */
interface NameChange {
  readonly at: number;
  readonly name?: string;
}

/** Writes messages one after the other into one growing buffer. */
export class MessageWriter {
  #bytes = Buffer.alloc(4096);
  #length = 0;
  #message = 0;
  #count = 0;
  readonly #links: LinkPlace[] = [];
  readonly #nameChanges: NameChange[] = [];

  /** The messages so far; valid until the next write. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** The link indexes that are still to be filled in, in ascending order of offset. */
  get links(): readonly LinkPlace[] {
    return this.#links;
  }

  /** The messages that may move link names, in ascending order of offset. */
  get nameChanges(): readonly NameChange[] {
    return this.#nameChanges;
  }

  /** How many messages were written. The sequence number of each is the number of messages before it. */
  get count(): number {
    return this.#count;
  }

  /** Starts a message of `type` (RTM_*); `flags` are NLM_F_*. `end` fills in its length. */
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

  /** Drops the message that was begun and not ended, if there is one. */
  abandon(): void {
    this.#bytes.fill(0, this.#message, this.#length);
    this.#length = this.#message;
    for (const places of [this.#links, this.#nameChanges]) {
      while ((places.at(-1)?.at ?? -1) >= this.#message) places.pop();
    }
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

  /** Leaves room for the index of the link `name`, which is filled in just before the message is sent. */
  linkIndex(name: string): void {
    this.#links.push({ at: this.#take(4), name });
  }

  /**
   * Notes that this message gives `name` to another link or takes it from one; without a name, that it may do so for
   * any name.
   */
  changesName(name?: string): void {
    this.#nameChanges.push({ at: this.#message, ...(name !== undefined && { name }) });
  }

  attributeU8(type: number, value: number): void {
    const at = this.#attribute(type, 1);
    this.#bytes[at] = value;
  }

  attributeU32(type: number, value: number): void {
    const at = this.#attribute(type, 4);
    this.#bytes.writeUInt32LE(value, at);
  }

  /** A 32-bit number in network byte order, as nftables uses. */
  attributeU32BE(type: number, value: number): void {
    const at = this.#attribute(type, 4);
    this.#bytes.writeUInt32BE(value, at);
  }

  attributeBytes(type: number, bytes: Uint8Array): void {
    const at = this.#attribute(type, bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** A port number, in network byte order. */
  attributePort(type: number, value: number): void {
    const at = this.#attribute(type, 2);
    this.#bytes.writeUInt16BE(value, at);
  }

  /** An attribute with the index of the link `name`, to be filled in as for `linkIndex`. */
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

  /** An attribute that contains the attributes that `body` writes. */
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

  /**
   * Reserves the next `length` bytes, which are zero, and returns their offset. May replace `#bytes`: take first, then
   * write.
   */
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
