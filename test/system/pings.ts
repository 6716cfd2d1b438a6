/** A ping each millisecond, and which of them were lost. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { inNetns } from '../../src/kernel/netns.ts';
import { until } from './until.ts';

const INTERVAL_SEC = '0.001';
/** An answer takes a millisecond, and an entry for a neighbour that must be asked for some more. */
const ANSWER_DEADLINE_MS = 10_000;
/** ping numbers its packets with 16 bits. */
const NUMBERS = 0x1_0000;

export class Pings implements AsyncDisposable {
  readonly #process: ChildProcessByStdio<null, Readable, null>;
  /** Of every packet up to the last one that was answered. */
  #answered: boolean[] = [];
  #last = 0;

  private constructor(process: ChildProcessByStdio<null, Readable, null>) {
    this.#process = process;
    createInterface(process.stdout).on('line', (line) => this.#read(line));
  }

  /**
   * Pings an address of IPv6 from the namespace at `netns`; resolves with the first answer.
   * @throws Error when none comes
   */
  static async start(netns: string, address: string): Promise<Pings> {
    const argv = ['-6', '-n', '-i', INTERVAL_SEC, address];
    const pings = new Pings(inNetns(netns, () => spawn('ping', argv, { stdio: ['ignore', 'pipe', 'inherit'] })));
    try {
      await pings.#nextAnswer();
      pings.#answered = pings.#answered.fill(true);
      return pings;
    } catch (error) {
      await pings[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Numbers of the packets that were not answered, of those between the first answer and one that comes from now on:
   * what is under way counts neither as lost nor as answered.
   * @throws Error when no answer comes any more
   */
  async lost(): Promise<number[]> {
    await this.#nextAnswer();
    return Array.from(this.#answered.keys()).filter((number) => number > 0 && this.#answered[number] !== true);
  }

  /** How many packets have been sent and answered. */
  get count(): number {
    return this.#answered.reduce((sum, answered) => sum + (answered ? 1 : 0), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }

  async #nextAnswer(): Promise<void> {
    const before = this.#last;
    await until('a ping is answered', ANSWER_DEADLINE_MS, () => this.#last > before);
  }

  #read(line: string): void {
    const number = / icmp_seq=(\d+) .*time=/.exec(line)?.[1];
    if (number === undefined) return;
    // Of the numbers that end in these 16 bits, the one that is nearest to the last.
    const round = Math.round((this.#last - Number(number)) / NUMBERS);
    const whole = Number(number) + round * NUMBERS;
    this.#answered[whole] = true;
    this.#last = Math.max(this.#last, whole);
  }
}
