/**
 * The order in which a node gives up an object. A network: first the others take the node from their flood lists, then the node
 * loses the network. A port that moves: first the new node has it, then the old one loses it. host0 waits for the answers of the
 * others whose channel stands, and not longer than 2 s.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';

/** How long a node that gives up an object waits for the others. */
export const LEAVE_MS = 2_000;

/** A node that gives up an object, and the nodes that have not said yet that they have heard of it. */
interface Leaving {
  readonly sinceSequence: number;
  readonly waitsFor: Set<MachineWord>;
  readonly alarm: Alarm;
}

/** All nodes that give up objects of one kind now. @typeParam Id the identifiers of the objects */
export class LeaveOrder<Id extends string> {
  readonly #clock: Clock;
  readonly #onLeft: (machine: MachineWord, object: Id) => void;
  readonly #standing = new Set<MachineWord>();
  readonly #leaving = new Map<Id, Map<MachineWord, Leaving>>();

  /** @param onLeft is called when a node need not hold an object any longer */
  constructor(clock: Clock, onLeft: (machine: MachineWord, object: Id) => void) {
    this.#clock = clock;
    this.#onLeft = onLeft;
  }

  /** A node's channel stands: from now on its answers are waited for. */
  opened(machine: MachineWord): void {
    this.#standing.add(machine);
  }

  closed(machine: MachineWord): void {
    this.#standing.delete(machine);
    this.confirmed(machine, Number.POSITIVE_INFINITY);
  }

  /** The objects that the node gives up now, and keeps until the others have answered. */
  leftBy(machine: MachineWord): Id[] {
    return [...this.#leaving].filter(([, leaving]) => leaving.has(machine)).map(([object]) => object);
  }

  /** The nodes that give up the object now. */
  leaving(object: Id): Iterable<MachineWord> {
    return this.#leaving.get(object)?.keys() ?? [];
  }

  /** @param sinceSequence the last assignment that was composed before the change */
  leave(object: Id, machine: MachineWord, others: ReadonlySet<MachineWord>, sinceSequence: number): void {
    const waitsFor = new Set([...others].filter((other) => other !== machine && this.#standing.has(other)));
    // A node that is away hears of both at once, when it is back.
    if (waitsFor.size === 0 || !this.#standing.has(machine)) return;
    const alarm = this.#clock.after(LEAVE_MS, () => this.#left(object, machine));
    const leaving = this.#leaving.get(object) ?? new Map<MachineWord, Leaving>();
    this.#leaving.set(object, leaving.set(machine, { sinceSequence, waitsFor, alarm }));
  }

  /** The node holds the object again, or the object is gone. */
  cancel(object: Id, machine: MachineWord): void {
    const leaving = this.#leaving.get(object);
    leaving?.get(machine)?.alarm.cancel();
    leaving?.delete(machine);
    if (leaving?.size === 0) this.#leaving.delete(object);
  }

  /** The object is gone. */
  cancelAll(object: Id): void {
    for (const machine of [...this.leaving(object)]) this.cancel(object, machine);
  }

  /** A node has taken the assignment of this sequence number. */
  confirmed(by: MachineWord, sequence: number): void {
    for (const [object, leaving] of [...this.#leaving]) {
      for (const [machine, { sinceSequence, waitsFor }] of [...leaving]) {
        if (sequence > sinceSequence && waitsFor.delete(by) && waitsFor.size === 0) this.#left(object, machine);
      }
    }
  }

  close(): void {
    for (const [object, leaving] of [...this.#leaving])
      for (const machine of [...leaving.keys()]) this.cancel(object, machine);
  }

  #left(object: Id, machine: MachineWord): void {
    this.cancel(object, machine);
    this.#onLeft(machine, object);
  }
}
