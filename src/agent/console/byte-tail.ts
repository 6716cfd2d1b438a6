/** A guest that writes byte by byte fills no memory: each buffer takes more than a hundred bytes beside its content. */
const CHUNKS_MAX = 1_024;

/** The last bytes of a stream without an end. */
export class ByteTail {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#length;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (let first = this.#chunks[0]; first !== undefined && this.#length > this.#maxBytes; first = this.#chunks[0]) {
      const over = this.#length - this.#maxBytes;
      this.#length -= Math.min(over, first.length);
      if (first.length <= over) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(over);
    }
    if (this.#chunks.length > CHUNKS_MAX) this.#chunks = [Buffer.concat(this.#chunks)];
  }

  /** How many buffers hold the bytes. */
  get chunkCount(): number {
    return this.#chunks.length;
  }

  /** The last bytes, at most `count`. */
  last(count: number): Buffer {
    const all = Buffer.concat(this.#chunks);
    // One copy in place of many small ones: a console writes a few bytes at a time.
    this.#chunks = [all];
    return all.subarray(Math.max(0, all.length - Math.max(0, count)));
  }
}
