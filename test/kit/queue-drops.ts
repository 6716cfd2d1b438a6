/**
 * Packets between namespaces wait in a queue of each processor, which a real network does not have. When it is full, the kernel drops
 * packets of all namespaces, and counts them. Tells which lost pings this explains.
 */
import { readFileSync } from 'node:fs';

/** Consecutive pings that were not answered: when the first and the last of them were sent, and how many they are. */
export interface LostPings {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly pings: number;
}

/** Packets that were dropped between two looks at the counter. */
export interface QueueDrop {
  readonly fromMs: number;
  readonly toMs: number;
  readonly packets: number;
}

/** Looks are not closer than this: the counter is read for each ping that is sent. */
const LOOK_MS = 20;
/** A packet passes several queues. Beside other tests it waits so long in all of them together. */
const UNDER_WAY_MS = 1_000;
/** So many pings of a pair are explained at most. A fault of the mesh that loses more is seen also while a queue is full. */
const PINGS_MAX = 20;

/** How many packets all queues have dropped since the start of the machine (softnet_seq_show in net-procfs.c: the second column, hexadecimal). */
export function droppedInQueues(): number {
  const lines = readFileSync('/proc/net/softnet_stat', 'utf8').matchAll(/^\S+ (\S+)/gm);
  return [...lines].reduce((sum, [, dropped = '0']) => sum + Number.parseInt(dropped, 16), 0);
}

/** Notes when the queues dropped packets. */
export class QueueDrops {
  readonly #read: () => number;
  readonly #seen: QueueDrop[] = [];
  #lookedMs: number;
  #count: number;

  /** @param read the counter, which only grows */
  constructor(nowMs: number, read = droppedInQueues) {
    this.#read = read;
    this.#lookedMs = nowMs;
    this.#count = read();
  }

  /** Looks at the counter, unless the last look was a moment ago. @returns all drops so far, in the order of time */
  look(nowMs: number, { now = false }: { readonly now?: boolean } = {}): readonly QueueDrop[] {
    if (nowMs - this.#lookedMs < LOOK_MS && !now) return this.#seen;
    const count = this.#read();
    if (count > this.#count) this.#seen.push({ fromMs: this.#lookedMs, toMs: nowMs, packets: count - this.#count });
    this.#lookedMs = nowMs;
    this.#count = count;
    return this.#seen;
  }
}

/**
 * The losses that the drops do not explain, of each pair. Each dropped packet explains one ping that was under way at that moment, of one
 * pair, and a loss is explained as a whole or not at all. All losses of a pair are unexplained if the explained ones are more than a few
 * pings: a mesh that loses packets is not excused by a flood.
 * @param pairs the losses of each pair
 */
export function unexplained<T extends LostPings>(
  pairs: readonly (readonly T[])[],
  drops: readonly QueueDrop[],
): readonly (readonly T[])[] {
  const left = drops.map(({ packets }) => packets);
  const explains = ({ firstMs, lastMs, pings }: T): boolean => {
    const at = drops.flatMap(({ fromMs, toMs }, index) =>
      toMs >= firstMs && fromMs <= lastMs + UNDER_WAY_MS ? [index] : [],
    );
    if (at.reduce((sum, index) => sum + (left[index] ?? 0), 0) < pings) return false;
    let open = pings;
    for (const index of at) {
      const taken = Math.min(open, left[index] ?? 0);
      left[index] = (left[index] ?? 0) - taken;
      open -= taken;
    }
    return true;
  };
  return pairs.map((losses) => {
    const rest = losses.filter((loss) => !explains(loss));
    return countOf(losses) - countOf(rest) > PINGS_MAX ? losses : rest;
  });
}

function countOf(losses: readonly LostPings[]): number {
  return losses.reduce((sum, { pings }) => sum + pings, 0);
}
