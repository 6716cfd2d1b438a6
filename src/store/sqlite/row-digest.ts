/**
 * The checksum of all entries of a store file. sqlite's own checks find a page whose structure is broken, and not a changed
 * byte within a value.
 */
import { createHash } from 'node:crypto';
import type { Entry } from '../store.ts';

/** 128 bits: enough against chance. Nobody who can write the file needs to deceive the checksum. */
const DIGEST_BYTES = 16;

/**
 * The XOR of the hashes of all entries. An entry is added or taken away without a look at the others, so that a commit costs
 * two hashes for each change.
 */
export class RowDigest {
  #bytes: Buffer;

  /** @param text a digest of `toString`; the digest of no entries if absent or not such a text */
  constructor(text = '') {
    const bytes = Buffer.from(text, 'hex');
    this.#bytes = bytes.length === DIGEST_BYTES ? bytes : Buffer.alloc(DIGEST_BYTES);
  }

  /** Adds an entry, or takes away one that was added. */
  toggle({ key, value, createRevision, modRevision }: Entry): void {
    const text = [key, createRevision, modRevision, value].join('\0');
    const hash = createHash('sha256').update(text).digest();
    this.#bytes = Buffer.from(this.#bytes.map((byte, index) => byte ^ (hash[index] ?? 0)));
  }

  /** In hex. */
  toString(): string {
    return this.#bytes.toString('hex');
  }
}
