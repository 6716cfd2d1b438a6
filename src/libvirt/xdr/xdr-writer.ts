/** Writes values in XDR (RFC 4506): big-endian, in units of four bytes. */
import { XdrFault } from './xdr-fault.ts';

const FIRST_BYTES = 256;

/** The bytes of one payload. */
export class XdrWriter {
  #bytes = Buffer.alloc(FIRST_BYTES);
  #length = 0;

  /** What has been written. The writer is not used any more. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  int(value: number): void {
    const at = this.#grow(4);
    this.#bytes.writeInt32BE(value, at);
  }

  uint(value: number): void {
    const at = this.#grow(4);
    this.#bytes.writeUInt32BE(value, at);
  }

  hyper(value: bigint): void {
    const at = this.#grow(8);
    this.#bytes.writeBigInt64BE(value, at);
  }

  uhyper(value: bigint): void {
    const at = this.#grow(8);
    this.#bytes.writeBigUInt64BE(value, at);
  }

  double(value: number): void {
    const at = this.#grow(8);
    this.#bytes.writeDoubleBE(value, at);
  }

  /** Bytes, with zeros up to the next unit. */
  fixed(bytes: Uint8Array): void {
    const at = this.#grow(Math.ceil(bytes.length / 4) * 4);
    this.#bytes.set(bytes, at);
  }

  /** A text in UTF-8. @throws XdrFault where the peer would not take its length */
  text(value: string, maxBytes: number): void {
    const bytes = Buffer.from(value);
    if (bytes.length > maxBytes) throw new XdrFault(`a text of ${bytes.length} bytes where ${maxBytes} is the most`);
    this.uint(bytes.length);
    this.fixed(bytes);
  }

  /** @throws XdrFault where the peer would not take so many */
  list<T>(values: readonly T[], max: number, write: (value: T) => void): void {
    if (values.length > max) throw new XdrFault(`a list of ${values.length} where ${max} is the most`);
    this.uint(values.length);
    for (const value of values) write(value);
  }

  /** Makes room. @returns where it begins */
  #grow(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    return at;
  }
}
