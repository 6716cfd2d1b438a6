/**
 * A ping each millisecond, and which of them were lost. ping(8) would keep a core busy for each pair: it spins when it is
 * to wait for less than 10 ms.
 */
import { EchoSocket } from '../../src/kernel/sockets/echo.ts';
import type { Ipv6 } from '../../src/model/address/ipv6.ts';

const INTERVAL_MS = 1;
/** The kernel's queue behind each processor holds 1000 packets, of all pairs together. */
const BURST = 20;
/** An answer takes less than a millisecond; after so long without one, no test goes on. */
const ANSWER_DEADLINE_MS = 10_000;
/** Far longer than an answer takes on a busy machine. */
const RETRY_MS = 1_000;

/** Pings in a row that were not answered: when the first and the last of them were sent. */
export interface Loss {
  readonly firstMs: number;
  readonly lastMs: number;
}

export class Pings implements Disposable {
  readonly #socket: EchoSocket;
  readonly #address: Ipv6;
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  /** When each of those was sent that have not been answered, in ms after the start, by number. */
  readonly #open = new Map<number, number>();
  #dueMs = 0;
  #sent = 0;

  private constructor(socket: EchoSocket, address: Ipv6) {
    this.#socket = socket;
    this.#address = address;
    this.#timer = setInterval(() => this.#sendDue(), INTERVAL_MS);
  }

  /**
   * Pings from the namespace at `netns`; resolves with the first answer.
   * @throws Error when none comes
   */
  static async start(netns: string, address: Ipv6): Promise<Pings> {
    const socket = EchoSocket.open({ netns });
    try {
      await answered(socket, address);
    } catch (error) {
      socket.close();
      throw error;
    }
    return new Pings(socket, address);
  }

  /** How many were sent. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * When those were sent that were not answered before a ping that is sent now is: spans in ms after the start, such as
   * `165-520`. Empty when nothing was lost.
   * @throws Error when none is answered any more
   */
  async lost(): Promise<string> {
    return (await this.#losses()).map(({ firstMs, lastMs }) => `${firstMs}-${lastMs}`).join(' ');
  }

  /** The same on the clock of `performance.now()`. */
  async losses(): Promise<Loss[]> {
    const shift = (ms: number) => ms + this.#startMs;
    return (await this.#losses()).map(({ firstMs, lastMs }) => ({ firstMs: shift(firstMs), lastMs: shift(lastMs) }));
  }

  async #losses(): Promise<Loss[]> {
    const before = this.#sent;
    await answered(this.#socket, this.#address);
    return spansOf([...this.#open].filter(([number]) => number <= before));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  /** A timer that comes late sends what is due, so that no gap hides an outage; but not so many at once that they are lost. */
  #sendDue(): void {
    const nowMs = performance.now() - this.#startMs;
    this.#dueMs = Math.max(this.#dueMs, nowMs - BURST * INTERVAL_MS);
    for (; this.#dueMs <= nowMs; this.#dueMs += INTERVAL_MS) this.#send(Math.round(this.#dueMs));
  }

  #send(atMs: number): void {
    const number = ++this.#sent;
    this.#open.set(number, atMs);
    this.#socket.echo(this.#address, { timeoutMs: ANSWER_DEADLINE_MS }).then(
      (rttMs) => rttMs !== undefined && this.#open.delete(number),
      // It could not even be sent: lost.
      () => {},
    );
  }
}

/** One answer, of as many pings as it takes: the first may be lost where losses are what is counted. */
async function answered(socket: EchoSocket, address: Ipv6): Promise<void> {
  const giveUpAt = performance.now() + ANSWER_DEADLINE_MS;
  while (performance.now() < giveUpAt) {
    if ((await socket.echo(address, { timeoutMs: RETRY_MS })) !== undefined) return;
  }
  throw new Error(`${address} does not answer within ${ANSWER_DEADLINE_MS} ms`);
}

/** @param unanswered number and time of each, ascending */
function spansOf(unanswered: readonly (readonly [number: number, sentMs: number])[]): Loss[] {
  const spans: { last: number; firstMs: number; lastMs: number }[] = [];
  for (const [number, sentMs] of unanswered) {
    const span = spans.at(-1);
    if (span?.last === number - 1) Object.assign(span, { last: number, lastMs: sentMs });
    else spans.push({ last: number, firstMs: sentMs, lastMs: sentMs });
  }
  return spans.map(({ firstMs, lastMs }) => ({ firstMs, lastMs }));
}
