/** The journal of a process: the events since its start, as far as it remembers them, and their subscribers. */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { Signal } from '../../model/signal.ts';
import type { EventInit, MeshEvent } from './event.ts';
import { Faults } from './faults.ts';

/** How many events a process remembers for a later `mesh events`; about 300 kB usually. */
const REMEMBERED_MAX = 1000;

/**
 * A longer text of an event is cut: some quote a file of the administrator or the answer of another machine. The longest
 * sentence of ours has some 600 characters; a step may print a table of rules.
 */
const TEXT_MAX_LENGTH = 4_000;

/**
 * Records events, remembers a thousand of them, and passes each to the subscribers. When a thousand are exceeded, the oldest
 * event of the most frequent kind is forgotten: a stranger who causes many events of one kind does not displace the others.
 */
export class Journal {
  readonly #remembered: MeshEvent[] = [];
  /** How many events of each kind are remembered. */
  readonly #counts = new Map<string, number>();
  /** Number of the last event that was forgotten. */
  #forgottenSeq = 0;
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
    this.#remembered.push(event);
    this.#counts.set(event.kind, (this.#counts.get(event.kind) ?? 0) + 1);
    if (this.#remembered.length > REMEMBERED_MAX) this.#forgetOne();
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
    return [...this.#remembered];
  }

  /** The events after `seq`, or undefined when the journal does not remember all of them. */
  since(seq: number): readonly MeshEvent[] | undefined {
    if (seq > this.#seq || seq < this.#forgottenSeq) return undefined;
    return this.#remembered.filter((event) => event.seq > seq);
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

  #forgetOne(): void {
    let [loudest = '', most = 0] = ['', 0];
    for (const [kind, count] of this.#counts) if (count > most) [loudest, most] = [kind, count];
    const oldest = this.#remembered.findIndex(({ kind }) => kind === loudest);
    this.#forgottenSeq = Math.max(this.#forgottenSeq, this.#remembered[oldest]?.seq ?? 0);
    this.#remembered.splice(oldest, 1);
    if (most > 1) this.#counts.set(loudest, most - 1);
    else this.#counts.delete(loudest);
  }

  #event({ level = 'info', ...init }: EventInit): MeshEvent {
    return {
      seq: this.#seq,
      time: this.#clock.wallTime().toISOString(),
      level,
      source: this.#source,
      node: this.#node,
      ...init,
      ...shortened(init),
    };
  }
}

/** Those texts of an event that are too long, cut. */
function shortened({ message, object, item, step, remedy }: Partial<EventInit>): Partial<EventInit> {
  const texts = Object.entries({ message, object, item, step, remedy });
  return Object.fromEntries(
    texts.flatMap(([field, text]) =>
      text !== undefined && text.length > TEXT_MAX_LENGTH ? [[field, `${text.slice(0, TEXT_MAX_LENGTH)}…`]] : [],
    ),
  );
}
