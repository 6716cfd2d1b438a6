/** Splits a stream of chunks into lines. */
import { StringDecoder } from 'node:string_decoder';

/** Characters. A longer line is shown in pieces, so that a stream without newlines does not fill the memory. */
const LINE_MAX = 64 * 1024;

/** Calls `show` with whole lines, so that lines of two nodes do not mix. Chunks are UTF-8, and may end inside a character. */
export class Lines {
  readonly #show: (line: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  constructor(show: (line: string) => void) {
    this.#show = show;
  }

  push(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#show(line);
    if (this.#rest.length <= LINE_MAX) return;
    this.#show(this.#rest);
    this.#rest = '';
  }

  /** Shows the text after the last newline. */
  end(): void {
    const last = this.#rest + this.#decoder.end();
    if (last !== '') this.#show(last);
    this.#rest = '';
  }
}
