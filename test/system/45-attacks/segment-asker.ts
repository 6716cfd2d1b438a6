/** A host on a boot segment that asks host0's boot server from any of its addresses, and can go on asking for ever. */
import { type ChildProcess, spawn } from 'node:child_process';
import { inNetns } from '../../../src/kernel/netns.ts';

const PROGRAM = new URL('./segment-asker-process.ts', import.meta.url).pathname;

/** One request, from an address of the host. */
interface Ask {
  readonly address: string;
  readonly path: string;
}

/** What the host's process is told to do. */
export type Order =
  | ({ readonly kind: 'ask'; readonly id: number; readonly host0: string } & Ask)
  | { readonly kind: 'loop'; readonly host0: string; readonly asks: readonly Ask[]; readonly everyMs: number }
  | { readonly kind: 'hold'; readonly host0: string; readonly addresses: readonly string[]; readonly each: number };

/** An answer; status 0 stands for none. */
export interface Answered {
  readonly id: number;
  readonly status: number;
  readonly body: string;
  readonly retryAfterSec: number;
  /** How long the answer took. */
  readonly ms: number;
}

/** The process of one host, in its namespace. */
export class SegmentAsker implements Disposable {
  readonly #host0: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answered: Answered) => void>();
  #asked = 0;

  constructor(netns: string, host0: string) {
    this.#host0 = host0;
    const words = ['--disable-warning=ExperimentalWarning', PROGRAM];
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    this.#child = inNetns(netns, () => spawn(process.execPath, words, { stdio: [...stdio] }));
    this.#child.on('message', (message) => {
      const answered = message as Answered;
      this.#waiting.get(answered.id)?.(answered);
      this.#waiting.delete(answered.id);
    });
  }

  /** Sends one request. */
  ask(address: string, path: string): Promise<Answered> {
    const id = ++this.#asked;
    this.#order({ kind: 'ask', id, host0: this.#host0, address, path });
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  /** Sends the same requests again and again, as long as the process runs. */
  loop(asks: readonly Ask[], everyMs: number): void {
    this.#order({ kind: 'loop', host0: this.#host0, asks, everyMs });
  }

  /** Keeps connections without a request open, and opens each again that is closed. */
  hold(addresses: readonly string[], each: number): void {
    this.#order({ kind: 'hold', host0: this.#host0, addresses, each });
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }

  #order(order: Order): void {
    this.#child.send(order);
  }
}
