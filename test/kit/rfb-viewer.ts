/** A VNC viewer, as far as tests need one: the handshake of RFB 3.8, and one pixel of the picture (RFC 6143). */
import type { Readable } from 'node:stream';

/** What a screen has said in the handshake. */
export interface RfbScreen {
  readonly version: string;
  /** 1 is none. */
  readonly securityTypes: readonly number[];
  readonly width: number;
  readonly height: number;
  readonly name: string;
}

/** A viewer with a connection to a screen. */
export class RfbViewer {
  readonly #send: (bytes: Buffer) => unknown;
  readonly #from: AsyncIterator<Buffer>;
  #kept = Buffer.alloc(0);

  constructor(from: Readable, send: (bytes: Buffer) => unknown) {
    this.#from = (from as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    this.#send = send;
  }

  /** @param isShared whether other viewers may stay */
  async greet(isShared: boolean): Promise<RfbScreen> {
    const version = (await this.#take(12)).toString('latin1');
    await this.#send(Buffer.from(version, 'latin1'));
    const [count = 0] = await this.#take(1);
    const securityTypes = [...(await this.#take(count))];
    await this.#send(Buffer.from([1]));
    const result = (await this.#take(4)).readUInt32BE();
    if (result !== 0) throw new Error(`the screen refuses: ${result}`);
    await this.#send(Buffer.from([isShared ? 1 : 0]));
    const head = await this.#take(24);
    const name = (await this.#take(head.readUInt32BE(20))).toString();
    return { version: version.trim(), securityTypes, width: head.readUInt16BE(0), height: head.readUInt16BE(2), name };
  }

  /** Asks for the first pixel, also when it is as before, and waits for it. @returns its four bytes */
  async pixel(): Promise<Buffer> {
    await this.#send(Buffer.from([3, 0, 0, 0, 0, 0, 0, 1, 0, 1]));
    for (;;) {
      const head = await this.#take(4);
      if (head[0] !== 0) throw new Error(`no update: ${head.toString('hex')}`);
      let first: Buffer | undefined;
      for (let left = head.readUInt16BE(2); left > 0; left--) {
        const rectangle = await this.#take(12);
        if (rectangle.readInt32BE(8) !== 0) throw new Error(`not raw: ${rectangle.toString('hex')}`);
        const pixels = await this.#take(rectangle.readUInt16BE(4) * rectangle.readUInt16BE(6) * 4);
        if (rectangle.readUInt32BE(0) === 0) first = pixels.subarray(0, 4);
      }
      if (first !== undefined) return first;
    }
  }

  async #take(count: number): Promise<Buffer> {
    while (this.#kept.length < count) {
      const { value, done } = await this.#from.next();
      if (done === true) throw new Error(`the screen has ended after ${this.#kept.length} of ${count} bytes`);
      this.#kept = Buffer.concat([this.#kept, value]);
    }
    const taken = this.#kept.subarray(0, count);
    this.#kept = this.#kept.subarray(count);
    return taken;
  }
}
