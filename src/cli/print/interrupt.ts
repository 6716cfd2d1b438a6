/** SIGINT (Ctrl-C), SIGTERM and SIGHUP as an AbortSignal, so that a command can clean up before it ends. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Catches the three signals until it is disposed; afterwards they end the process again. */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #received = (signal: NodeJS.Signals): void => {
    this.exitCode = 128 + constants.signals[signal];
    this.#controller.abort();
  };

  /** 128 plus the number of the signal, as a shell gives it: 130 after Ctrl-C. 0 before any signal. */
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
