/** Pings between several pairs at once. */
import { netnsPath } from '../../src/kernel/netns.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import type { LostPings } from '../kit/queue-drops.ts';
import { lostOf, Pings } from './pings.ts';

/** Running pings, named `A to B`. */
export class PingSet implements Disposable {
  readonly #pings: ReadonlyMap<string, Pings>;

  private constructor(pings: ReadonlyMap<string, Pings>) {
    this.#pings = pings;
  }

  /** Starts a ping for each pair, from the first host to the mesh address of the second. */
  static async start(...pairs: readonly (readonly [LabHost, LabHost])[]): Promise<PingSet> {
    const pings = new Map<string, Pings>();
    const set = new PingSet(pings);
    try {
      for (const [from, to] of pairs) {
        pings.set(`${from.name} to ${to.name}`, await Pings.start(netnsPath(from.netns), to.member.ipv6));
      }
      return set;
    } catch (error) {
      set[Symbol.dispose]();
      throw error;
    }
  }

  /** The losses of each pair that lost pings, as in `Pings.lost`; empty if nothing was lost. */
  async lost(): Promise<Record<string, string>> {
    const texts = await lostOf([...this.#pings.values()]);
    const entries = [...this.#pings.keys()].map((pair, index) => [pair, texts[index] ?? ''] as const);
    return Object.fromEntries(entries.filter(([, spans]) => spans !== ''));
  }

  /** The losses of every pair, in the order of the start. */
  async losses(): Promise<(readonly LostPings[])[]> {
    return await Promise.all([...this.#pings.values()].map((pings) => pings.losses()));
  }

  /** The number of pings that all pairs have sent. */
  get sent(): number {
    return [...this.#pings.values()].reduce((sum, pings) => sum + pings.sent, 0);
  }

  [Symbol.dispose](): void {
    for (const pings of this.#pings.values()) pings[Symbol.dispose]();
  }
}
