/** The ports that move from one node to another: the new node has the port before the old one loses it. */
import type { Clock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { PortBook, PortChange } from '../ports/port-book.ts';
import type { PlacedPort } from '../ports/port-record.ts';
import { LeaveOrder } from './leave-order.ts';

/** Which ports each node has: those of the book, and those that have moved away and are not on their new node yet. */
export class MovingPorts {
  readonly #book: PortBook;
  readonly #order: LeaveOrder<string>;
  /** Where the ports were that have moved, by their id. */
  readonly #from = new Map<string, PlacedPort>();

  /** @param onLeft is called when a node need not have a port any longer */
  constructor(clock: Clock, book: PortBook, onLeft: (machine: MachineWord) => void) {
    this.#book = book;
    this.#order = new LeaveOrder(clock, (machine, port) => {
      this.#from.delete(port);
      onLeft(machine);
    });
  }

  opened(machine: MachineWord): void {
    this.#order.opened(machine);
  }

  closed(machine: MachineWord): void {
    this.#order.closed(machine);
  }

  confirmed(by: MachineWord, sequence: number): void {
    this.#order.confirmed(by, sequence);
  }

  close(): void {
    this.#order.close();
  }

  /**
   * Takes a change of the book.
   * @param sinceSequence the last assignment that was composed before the change
   * @returns the nodes whose ports may be others
   */
  changed(change: PortChange, sinceSequence: number): ReadonlySet<MachineWord> {
    const from = change.before && this.#from.get(change.before.id);
    this.#take(change, from, sinceSequence);
    return new Set([from, change.before, change.after].flatMap((port) => port?.machine ?? []));
  }

  #take({ before, after }: PortChange, from: PlacedPort | undefined, sinceSequence: number): void {
    if (before === undefined) return;
    const { id, machine } = before;
    // It moves again, or is gone, before the last move was done.
    if (from !== undefined) this.#order.cancel(id, from.machine);
    this.#from.delete(id);
    if (after === undefined || after.machine === machine) return;
    // It moves back to where it is still.
    if (from?.machine === after.machine && from.link === after.link) return;
    this.#from.set(id, before);
    this.#order.leave(id, machine, new Set([after.machine]), sinceSequence);
  }

  /** The ports of a node. */
  on(machine: MachineWord): readonly PlacedPort[] {
    const placed = this.#book.on(machine);
    const left = this.#order.leftBy(machine).flatMap((id) => this.#from.get(id) ?? []);
    const isTaken = ({ id, link }: PlacedPort) => placed.some((port) => port.id === id || port.link === link);
    return left.length === 0 ? placed : [...placed, ...left.filter((port) => !isTaken(port))];
  }
}
