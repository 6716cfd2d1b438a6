/** Ctrl-C and its like, as an AbortSignal: a command that has something to clear away does so before it ends. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #received = (signal: NodeJS.Signals): void => {
    this.exitCode = 128 + constants.signals[signal];
    this.#controller.abort();
  };

  /** As a shell would give it: 130 after Ctrl-C. */
  exitCode = 0;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#received);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#received);
  }
}
