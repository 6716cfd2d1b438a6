/** The journal of a process: the events since its start, as far as it remembers them, and their subscribers. */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { Signal } from '../../model/signal.ts';
import type { EventInit, MeshEvent } from './event.ts';
import { Faults } from './faults.ts';

/** How many events a process remembers for a later `mesh events`; about 300 kB at most. */
const RING_SIZE = 1000;

/** Records events, remembers the last thousand, and passes each to the subscribers. */
export class Journal {
  readonly #ring: MeshEvent[] = [];
  readonly #events = new Signal<MeshEvent>();
  readonly #renewals = new Signal<void>();
  readonly #clock: Clock;
  readonly #source: string;
  readonly #node: string;
  #seq = 0;
  /** A word for this run of the process. After a restart, the same `seq` is another event. */
  readonly run: string;
  /** The errors that the process did not foresee. */
  readonly faults: Faults;

  /**
   * @param source `host0` or `agent`
   * @param node the host's name
   */
  constructor(clock: Clock, source: string, node: string) {
    this.#clock = clock;
    this.#source = source;
    this.#node = node;
    this.run = clock.wallTime().getTime().toString(36);
    this.faults = new Faults(clock, (event) => this.record(event));
  }

  /** Number of the last event. */
  get seq(): number {
    return this.#seq;
  }

  record(init: EventInit): void {
    const event = { ...this.#event(init), seq: ++this.#seq };
    this.#ring.push(event);
    if (this.#ring.length > RING_SIZE) this.#ring.shift();
    this.#events.emit(event);
  }

  /** Records an error with its code, errno and remedy: as a warning, unless `init` sets another level. */
  failure(kind: string, thrown: unknown, init: Partial<EventInit> = {}): void {
    const { code, errno, message, remedy } = MeshError.from(thrown);
    this.record({
      level: 'warning',
      kind,
      message,
      code,
      ...(errno !== undefined && { errno }),
      ...(remedy !== undefined && { remedy }),
      ...init,
    });
  }

  /** A present condition as an event of a snapshot. It is neither recorded nor remembered. */
  condition(init: EventInit): MeshEvent {
    return { ...this.#event(init), snapshot: true };
  }

  /** Asks subscribers for a new snapshot, because the events so far may no longer add up to the present state. */
  renew(): void {
    this.#renewals.emit();
  }

  /** The remembered events, oldest first. */
  recent(): readonly MeshEvent[] {
    return [...this.#ring];
  }

  /** The events after `seq`, or undefined when the journal does not remember all of them. */
  since(seq: number): readonly MeshEvent[] | undefined {
    const first = this.#ring[0]?.seq ?? this.#seq + 1;
    if (seq > this.#seq || seq < first - 1) return undefined;
    return this.#ring.filter((event) => event.seq > seq);
  }

  /**
   * Calls `listener` with each event from now on, and `onRenewal` after each `renew`.
   * @returns a function that ends the subscription
   */
  subscribe(listener: (event: MeshEvent) => void, onRenewal?: () => void): () => void {
    const endEvents = this.#events.subscribe(listener);
    const endRenewals = onRenewal === undefined ? undefined : this.#renewals.subscribe(onRenewal);
    return () => {
      endEvents();
      endRenewals?.();
    };
  }

  #event({ level = 'info', ...init }: EventInit): MeshEvent {
    return {
      seq: this.#seq,
      time: this.#clock.wallTime().toISOString(),
      level,
      source: this.#source,
      node: this.#node,
      ...init,
    };
  }
}
