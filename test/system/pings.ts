/**
 * Sends a ping every few milliseconds, and tells which were lost. ping(8) is not used: it spins at intervals below 10 ms, and
 * would keep a core busy for each pair.
 */
import { EchoSocket } from '../../src/kernel/sockets/echo.ts';
import type { Ipv6 } from '../../src/model/address/ipv6.ts';
import { LONG } from '../kit/long.ts';
import { type LostPings, type QueueDrop, QueueDrops, unexplained } from '../kit/queue-drops.ts';

/** A ping each millisecond keeps a tenth of a core busy, and many tests have several pairs at once. */
const INTERVAL_MS = LONG ? 1 : 4;
/** Pings sent at once at most: the kernel's queue of each processor holds 1000 packets of all pairs together. */
const BURST = 20;
/** An answer takes less than a millisecond; without one for this long, a test fails. */
const ANSWER_DEADLINE_MS = 10_000;
/** Far longer than an answer takes on a busy machine. */
const RETRY_MS = 1_000;

/** When the first and the last of consecutive pings without an answer were sent. */
export type Loss = Pick<LostPings, 'firstMs' | 'lastMs'>;

/** A running ping from one namespace to one address. */
export class Pings implements Disposable {
  readonly #socket: EchoSocket;
  readonly #address: Ipv6;
  readonly #startMs = performance.now();
  readonly #intervalMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #drops = new QueueDrops(performance.now());
  /** Pings without an answer: by their number, when they were sent, in ms after the start. */
  readonly #open = new Map<number, number>();
  #dueMs = 0;
  #sent = 0;

  private constructor(socket: EchoSocket, address: Ipv6, intervalMs: number) {
    this.#socket = socket;
    this.#address = address;
    this.#intervalMs = intervalMs;
    this.#timer = setInterval(() => this.#sendDue(), intervalMs);
  }

  /**
   * Starts to ping from the namespace at `netns`; resolves after the first answer.
   * @param intervalMs by default 1 in the long run and 4 otherwise: a shorter outage may be missed
   * @throws Error if no answer comes
   */
  static async start(netns: string, address: Ipv6, intervalMs = INTERVAL_MS): Promise<Pings> {
    const socket = EchoSocket.open({ netns });
    try {
      await answered(socket, address);
    } catch (error) {
      socket.close();
      throw error;
    }
    return new Pings(socket, address, intervalMs);
  }

  /** The number of pings sent so far. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * When the lost pings were sent, as spans in ms after the start, such as `165-520`; empty if nothing was lost. A ping is
   * lost if it is not answered before another that is sent now. No mesh loses what the queue of a busy processor drops: a few
   * pings that were under way at that moment are told, and are no loss.
   * @throws Error if pings are no longer answered
   */
  async lost(): Promise<string> {
    const [text = ''] = await lostOf([this]);
    return text;
  }

  /** The losses, also those in the queues of processors, on the clock of `performance.now()`. */
  async losses(): Promise<LostPings[]> {
    const before = this.#sent;
    await answered(this.#socket, this.#address);
    return spansOf([...this.#open].filter(([number]) => number <= before)).map(({ firstMs, lastMs, pings }) => ({
      firstMs: firstMs + this.#startMs,
      lastMs: lastMs + this.#startMs,
      pings,
    }));
  }

  /** What the queues dropped since the start, on the clock of `performance.now()`. */
  drops(): readonly QueueDrop[] {
    return this.#drops.look(performance.now(), { now: true });
  }

  /** Losses as spans in ms after the start. */
  spanTexts(losses: readonly LostPings[]): string {
    const text = (ms: number) => Math.round(ms - this.#startMs);
    return losses.map(({ firstMs, lastMs }) => `${text(firstMs)}-${text(lastMs)}`).join(' ');
  }

  get address(): Ipv6 {
    return this.#address;
  }

  get #nowMs(): number {
    return performance.now() - this.#startMs;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  /** Sends all pings that are due, so that no outage is hidden when the timer is late; but no more than BURST, which could be lost. */
  #sendDue(): void {
    const nowMs = this.#nowMs;
    this.#drops.look(performance.now());
    this.#dueMs = Math.max(this.#dueMs, nowMs - BURST * this.#intervalMs);
    for (; this.#dueMs <= nowMs; this.#dueMs += this.#intervalMs) this.#send(Math.round(this.#dueMs));
  }

  #send(atMs: number): void {
    const number = ++this.#sent;
    this.#open.set(number, atMs);
    this.#socket.echo(this.#address, { timeoutMs: ANSWER_DEADLINE_MS }).then(
      (rttMs) => rttMs !== undefined && this.#open.delete(number),
      // A ping that could not be sent counts as lost.
      () => {},
    );
  }
}

/**
 * The losses of several pairs, each as in `Pings.lost`, in their order. All pairs share the queues of the processors: a packet that was
 * dropped excuses one ping of one pair.
 * @throws Error if pings of a pair are no longer answered
 */
export async function lostOf(pairs: readonly Pings[]): Promise<string[]> {
  const losses = await Promise.all(pairs.map((pings) => pings.losses()));
  // The first pair has looked at the counter for the longest time.
  const rest = unexplained(losses, pairs[0]?.drops() ?? []);
  return pairs.map((pings, index) => {
    const [all = [], left = []] = [losses[index], rest[index]];
    if (left.length < all.length)
      console.log(`${pings.spanTexts(all)}: pings to ${pings.address} of these ms are missing, some in full queues`);
    return pings.spanTexts(left);
  });
}

/** Sends pings until one is answered: the first may be lost, as this is used where packets get lost. */
async function answered(socket: EchoSocket, address: Ipv6): Promise<void> {
  const giveUpAt = performance.now() + ANSWER_DEADLINE_MS;
  while (performance.now() < giveUpAt) {
    if ((await socket.echo(address, { timeoutMs: RETRY_MS })) !== undefined) return;
  }
  throw new Error(`${address} does not answer within ${ANSWER_DEADLINE_MS} ms`);
}

/** Joins pings with consecutive numbers. @param unanswered number and time of each lost ping, ascending */
function spansOf(unanswered: readonly (readonly [number: number, sentMs: number])[]): LostPings[] {
  const spans: { last: number; firstMs: number; lastMs: number; pings: number }[] = [];
  for (const [number, sentMs] of unanswered) {
    const span = spans.at(-1);
    if (span?.last === number - 1) Object.assign(span, { last: number, lastMs: sentMs, pings: span.pings + 1 });
    else spans.push({ last: number, firstMs: sentMs, lastMs: sentMs, pings: 1 });
  }
  return spans.map(({ firstMs, lastMs, pings }) => ({ firstMs, lastMs, pings }));
}
