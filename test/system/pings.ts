/**
 * A ping each millisecond, and which of them were lost. ping(8) would keep a core busy for each pair: it spins when it is
 * to wait for less than 10 ms.
 */
import { EchoSocket } from '../../src/kernel/echo.ts';
import type { Ipv6 } from '../../src/model/ipv6.ts';

const INTERVAL_MS = 1;
/** The kernel's queue behind each processor holds 1000 packets, of all pairs together. */
const BURST = 20;
/** An answer takes less than a millisecond; after so long without one, no test goes on. */
const ANSWER_DEADLINE_MS = 10_000;
/** Far longer than an answer takes on a busy machine. */
const RETRY_MS = 1_000;

export class Pings {
  readonly #socket: EchoSocket;
  readonly #address: Ipv6;
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  /** When each of those was sent that have not been answered, in ms after the start. */
  readonly #open = new Set<number>();
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
    const before = new Set(this.#open);
    await answered(this.#socket, this.#address);
    return spansOf([...this.#open].filter((sentMs) => before.has(sentMs)));
  }

  close(): void {
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
    this.#sent++;
    this.#open.add(atMs);
    this.#socket.echo(this.#address, { timeoutMs: ANSWER_DEADLINE_MS }).then(
      (rttMs) => rttMs !== undefined && this.#open.delete(atMs),
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

/** @param times ascending */
function spansOf(times: readonly number[]): string {
  const spans: { first: number; last: number }[] = [];
  for (const time of times) {
    const span = spans.at(-1);
    if (span !== undefined && time - span.last <= INTERVAL_MS) span.last = time;
    else spans.push({ first: time, last: time });
  }
  return spans.map(({ first, last }) => `${first}-${last}`).join(' ');
}
