/** Writes netlink messages, with whatever attributes they have. */
import type { Mac } from '../../model/address/mac.ts';
import { type Ip, ipToBytes } from '../ip.ts';
import { ATTRIBUTE_HEADER_BYTES, aligned, MESSAGE_HEADER_BYTES, NLA_F_NESTED } from './netlink.ts';

/** A link that a request names where the kernel wants its index: `at` is the place of the index in the bytes. */
export interface LinkPlace {
  readonly at: number;
  readonly name: string;
}

/** A message, by the place of its header, that may change which link has the name `name`, or any name when absent. */
export interface NameChange {
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

  /** What was written; valid until the next write. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Where link indexes are still to be filled in, in ascending order. */
  get links(): readonly LinkPlace[] {
    return this.#links;
  }

  /** In ascending order. */
  get nameChanges(): readonly NameChange[] {
    return this.#nameChanges;
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

  /** The index of the link `name`, to be filled in when it is known. */
  linkIndex(name: string): void {
    this.#links.push({ at: this.#take(4), name });
  }

  /** Says that the message gives `name` to another link or takes it from one; without a name, any. */
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
