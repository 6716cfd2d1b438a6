/** Progress of a long command on stderr: one line for each stage with its time. On a terminal the last line is rewritten. */
import type { OutputStream } from '../context.ts';

const ERASE_LINE = '\r\x1b[K';

/** Shows one stage at a time; disposing it ends the last stage. */
export class Stages implements Disposable {
  readonly #stream: OutputStream;
  readonly #patienceMs: number;
  #current: { text: string; count: string; startedMs: number; told: boolean } | undefined;

  /** @param patienceMs a stage that took less time leaves no line */
  constructor(stream: OutputStream, patienceMs = 0) {
    this.#stream = stream;
    this.#patienceMs = patienceMs;
  }

  /** Begins the stage `text` and ends the one before. Called again for the same stage, it shows `done` of `of`. */
  readonly show = (text: string, done?: number, of?: number): void => {
    if (this.#current?.text !== text) {
      this.end();
      this.#current = { text, count: '', startedMs: performance.now(), told: false };
    }
    if (this.#current !== undefined && of !== undefined) this.#current.count = ` ${done} of ${of}`;
    if (this.#stream.isTTY) this.#stream.write(`${ERASE_LINE}${this.#line()} …`);
  };

  /** Shows how far the stage is, in words. Without a terminal only the end is told. */
  detail(words: string): void {
    if (this.#current === undefined) return;
    this.#current.count = `: ${words}`;
    if (this.#stream.isTTY) this.#stream.write(`${ERASE_LINE}${this.#line()} …`);
  }

  /** Prints lines while the stage goes on. Where lines are not rewritten, the line of the stage comes first, and only then. */
  aside(lines: string): void {
    if (lines === '') return;
    const { isTTY } = this.#stream;
    if (!isTTY && this.#current?.told === false) {
      this.#stream.write(`${this.#line()} …\n`);
      this.#current.told = true;
    }
    this.#stream.write(`${isTTY ? ERASE_LINE : ''}${lines}`);
    if (isTTY && this.#current !== undefined) this.#stream.write(`${this.#line()} …`);
  }

  end(): void {
    if (this.#current === undefined) return;
    const tookMs = performance.now() - this.#current.startedMs;
    const isTold = this.#current.told || tookMs < this.#patienceMs;
    const line = isTold ? '' : `${this.#line()}, ${(tookMs / 1000).toFixed(2)} s\n`;
    this.#stream.write(`${this.#stream.isTTY ? ERASE_LINE : ''}${line}`);
    this.#current = undefined;
  }

  [Symbol.dispose](): void {
    this.end();
  }

  #line(): string {
    return `${this.#current?.text ?? ''}${this.#current?.count ?? ''}`;
  }
}
