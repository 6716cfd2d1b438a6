/** Whole lines out of what comes in pieces. */
import { StringDecoder } from 'node:string_decoder';

/** A line without an end is shown in pieces. */
const LINE_MAX = 64 * 1024;

/** So that lines of two nodes do not mix. */
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

  end(): void {
    const last = this.#rest + this.#decoder.end();
    if (last !== '') this.#show(last);
    this.#rest = '';
  }
}
