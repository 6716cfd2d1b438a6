/**
 * The order in which a node gives up a network: first the others take the node from their flood lists, then the node loses the
 * network. host0 waits for the answers of the others whose channel stands, and not longer than 2 s.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkId } from '../../model/network/number.ts';

/** How long a node that gives up a network waits for the others. */
export const LEAVE_MS = 2_000;

/** A node that gives up a network, and the nodes that have not said yet that they no longer send to it. */
interface Leaving {
  readonly sinceSequence: number;
  readonly waitsFor: Set<MachineWord>;
  readonly alarm: Alarm;
}

/** All nodes that give up networks now. */
export class LeaveOrder {
  readonly #clock: Clock;
  readonly #onLeft: (machine: MachineWord) => void;
  readonly #standing = new Set<MachineWord>();
  readonly #leaving = new Map<NetworkId, Map<MachineWord, Leaving>>();

  /** @param onLeft is called when a node need not hold a network any longer */
  constructor(clock: Clock, onLeft: (machine: MachineWord) => void) {
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

  /** Whether the node must keep the network until the others have answered. */
  holds(network: NetworkId, machine: MachineWord): boolean {
    return this.#leaving.get(network)?.has(machine) ?? false;
  }

  /** The networks that the node gives up now. */
  leftBy(machine: MachineWord): NetworkId[] {
    return [...this.#leaving].filter(([, leaving]) => leaving.has(machine)).map(([network]) => network);
  }

  /** @param sinceSequence the last assignment that was composed with the node among the peers */
  leave(network: NetworkId, machine: MachineWord, others: ReadonlySet<MachineWord>, sinceSequence: number): void {
    const waitsFor = new Set([...others].filter((other) => other !== machine && this.#standing.has(other)));
    // A node that is away hears of both at once, when it is back.
    if (waitsFor.size === 0 || !this.#standing.has(machine)) return;
    const alarm = this.#clock.after(LEAVE_MS, () => this.#left(network, machine));
    const leaving = this.#leaving.get(network) ?? new Map<MachineWord, Leaving>();
    this.#leaving.set(network, leaving.set(machine, { sinceSequence, waitsFor, alarm }));
  }

  /** The node holds the network again, or the network is gone. */
  cancel(network: NetworkId, machine: MachineWord): void {
    const leaving = this.#leaving.get(network);
    leaving?.get(machine)?.alarm.cancel();
    leaving?.delete(machine);
    if (leaving?.size === 0) this.#leaving.delete(network);
  }

  /** A node has taken the assignment of this sequence number. */
  confirmed(by: MachineWord, sequence: number): void {
    for (const [network, leaving] of [...this.#leaving]) {
      for (const [machine, { sinceSequence, waitsFor }] of [...leaving]) {
        if (sequence > sinceSequence && waitsFor.delete(by) && waitsFor.size === 0) this.#left(network, machine);
      }
    }
  }

  close(): void {
    for (const [network, leaving] of [...this.#leaving])
      for (const machine of [...leaving.keys()]) this.cancel(network, machine);
  }

  #left(network: NetworkId, machine: MachineWord): void {
    this.cancel(network, machine);
    this.#onLeft(machine);
  }
}
