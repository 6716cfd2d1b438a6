/** A process in a namespace that takes as many connections of an endpoint as it can (connection-flood.ts). */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { inNetns } from '../../../src/kernel/netns.ts';

/** What to take. */
export interface FloodOrder {
  readonly host: string;
  readonly port: number;
  /** The addresses to connect from. */
  readonly addresses: readonly string[];
  /** Connections from each address. */
  readonly each: number;
}

/** What the flood has got so far. */
export interface FloodCount {
  /** Connections that are open now. */
  readonly open: number;
  /** Streams that were opened, requests that were refused, and connections that were closed, since the start. */
  readonly streams: number;
  readonly refused: number;
  readonly closed: number;
}

const SCRIPT = `${import.meta.dirname}/connection-flood.ts`;

/** A running flood. */
export class Flood implements Disposable {
  readonly #child: ChildProcess;
  #count: FloodCount = { open: 0, streams: 0, refused: 0, closed: 0 };

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout !== null) {
      createInterface(child.stdout).on('line', (line) => {
        this.#count = JSON.parse(line) as FloodCount;
      });
    }
  }

  /** Starts a flood from the namespace at `netns`. */
  static from(netns: string, order: FloodOrder): Flood {
    const words = ['--disable-warning=ExperimentalWarning', SCRIPT, JSON.stringify(order)];
    return new Flood(inNetns(netns, () => spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })));
  }

  get count(): FloodCount {
    return this.#count;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
