/** Reads the attributes of a netlink message, and never reads past their end. */
import type { Mac } from '../../model/address/mac.ts';
import { type Ip, ipFromBytes } from '../ip.ts';
import { ATTRIBUTE_HEADER_BYTES, aligned, malformed, NLA_TYPE_MASK } from './netlink.ts';

/**
 * The attributes of one message, by type. As in the kernel's own nla_parse, the last one counts where a type occurs
 * twice. One table is reused for message after message, since a dump has tens of thousands of them.
 */
export class AttributeTable {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;

  /** @param max the highest attribute type to keep; higher ones are skipped */
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

  /** Parses the attributes nested in the attribute `type` of `outer`; an absent one leaves the table empty. */
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

  /** A 32-bit number in network byte order, as nftables uses; 0 when absent. */
  u32BE(type: number): number {
    return this.#holds(type, 4) ? this.#bytes.readUInt32BE(this.#start(type)) : 0;
  }

  /** The `index`th number of an array of 32-bit numbers; 0 when the array is shorter. */
  u32At(type: number, index: number): number {
    const at = this.#start(type) + 4 * index;
    return this.has(type) && at + 4 <= this.#end(type) ? this.#bytes.readUInt32LE(at) : 0;
  }

  /** A port number, in network byte order; 0 when absent. */
  port(type: number): number {
    return this.#holds(type, 2) ? this.#bytes.readUInt16BE(this.#start(type)) : 0;
  }

  /** Text up to the first NUL; empty when absent. */
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

  /**
   * An IPv4 or IPv6 address.
   * @param skip bytes before the address, as in struct rtvia
   * @returns undefined when absent or not 4 or 16 bytes long
   */
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
