/**
 * Reads values in XDR (RFC 4506): big-endian, in units of four bytes. The bytes come from a peer and are never trusted: every
 * length is held against the bytes that are there before anything is made of it.
 */
import { XdrFault } from './xdr-fault.ts';

const UNIT = 4;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The values of one payload, from its begin to its end. */
export class XdrReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The bytes that have not been read. */
  get restBytes(): number {
    return this.#bytes.length - this.#at;
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#advance(4));
  }

  uint(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  hyper(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8));
  }

  uhyper(): bigint {
    return this.#bytes.readBigUInt64BE(this.#advance(8));
  }

  double(): number {
    return this.#bytes.readDoubleBE(this.#advance(8));
  }

  /** Whether an optional value follows. @throws XdrFault on anything but 0 and 1 */
  flag(): boolean {
    const value = this.uint();
    if (value > 1) throw new XdrFault(`${value} is no truth value`);
    return value === 1;
  }

  /** A copy of so many bytes, and past their padding. */
  fixed(length: number): Buffer {
    const at = this.#advance(padded(length));
    if (this.#bytes.subarray(at + length, at + padded(length)).some((byte) => byte !== 0)) {
      throw new XdrFault('padding is not zero');
    }
    return Buffer.from(this.#bytes.subarray(at, at + length));
  }

  /** A text in UTF-8. @throws XdrFault where it is longer, no UTF-8, or has a zero byte, which ends a text in C */
  text(maxBytes: number): string {
    const bytes = this.fixed(this.#length(maxBytes, 1));
    if (bytes.includes(0)) throw new XdrFault('a text holds a zero byte');
    try {
      return UTF8.decode(bytes);
    } catch {
      throw new XdrFault('a text is not UTF-8');
    }
  }

  /** A list. @param leastBytes that one element has: a count without the bytes for it is refused at once */
  list<T>(max: number, leastBytes: number, read: () => T): T[] {
    const count = this.#length(max, leastBytes);
    const list: T[] = [];
    for (let index = 0; index < count; index++) list.push(read());
    return list;
  }

  /** @throws XdrFault where bytes are left */
  end(): void {
    if (this.restBytes > 0) throw new XdrFault(`${this.restBytes} bytes too many`);
  }

  #length(max: number, leastBytes: number): number {
    const length = this.uint();
    if (length > max) throw new XdrFault(`a length of ${length} where ${max} is the most`);
    if (length * leastBytes > this.restBytes) throw new XdrFault(`a length of ${length} with too few bytes behind it`);
    return length;
  }

  #advance(bytes: number): number {
    const at = this.#at;
    if (bytes > this.restBytes) throw new XdrFault(`${bytes} bytes wanted, ${this.restBytes} there`);
    this.#at += bytes;
    return at;
  }
}

function padded(length: number): number {
  return Math.ceil(length / UNIT) * UNIT;
}
