/** The journal: one stream of events for people, logs and `mesh events`, the same shape in host0 and in every agent. */
import type { Clock } from '../model/clock.ts';
import type { ErrorCode } from '../model/error.ts';

export type EventLevel = 'debug' | 'info' | 'warning' | 'error';

export interface MeshEvent {
  /** Counts from 1 in each process. */
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly level: EventLevel;
  /** Which process speaks: `host0` or `agent`. */
  readonly source: string;
  /** The host's name. */
  readonly node: string;
  /** A noun and what befell it: `member joined`, `link repaired`, `network refused`. */
  readonly kind: string;
  readonly message: string;
  readonly network?: string;
  readonly object?: string;
  readonly code?: ErrorCode;
  readonly remedy?: string;
}

export type EventInit = Omit<MeshEvent, 'seq' | 'time' | 'source' | 'node' | 'level'> & { readonly level?: EventLevel };

/** How many events a process remembers for a late `mesh events`; about 300 kB at the most. */
const RING_SIZE = 1000;

export class Journal {
  readonly #ring: MeshEvent[] = [];
  readonly #listeners = new Set<(event: MeshEvent) => void>();
  readonly #clock: Clock;
  readonly #source: string;
  readonly #node: string;
  #seq = 0;

  constructor(clock: Clock, source: string, node: string) {
    this.#clock = clock;
    this.#source = source;
    this.#node = node;
  }

  record(init: EventInit): void {
    const event: MeshEvent = {
      seq: ++this.#seq,
      time: this.#clock.wallTime().toISOString(),
      level: init.level ?? 'info',
      source: this.#source,
      node: this.#node,
      ...init,
    };
    this.#ring.push(event);
    if (this.#ring.length > RING_SIZE) this.#ring.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** The remembered events, oldest first. */
  recent(): readonly MeshEvent[] {
    return [...this.#ring];
  }

  /** @returns a function that ends the subscription */
  subscribe(listener: (event: MeshEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
