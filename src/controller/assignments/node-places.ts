/** Where the nodes are: the underlay addresses that host0's kernel has seen, as the memberships have them. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { MachineId, MachineWord } from '../../model/machine.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';

/** Where a node is. */
export interface NodePlace {
  /** Host name, for people. */
  readonly name: string;
  readonly underlay: Ipv4 | Ipv6;
}

/** The last place of each machine. A node that is silent keeps its place. */
export class NodePlaces {
  readonly #host0: () => NodePlace;
  readonly #places = new Map<MachineId, NodePlace>();
  readonly #changes = new Signal<MachineWord | undefined>();
  /** Emits a node that is elsewhere; undefined when all may reach host0 at another address. */
  readonly changes: Subscribable<MachineWord | undefined> = this.#changes;

  /** @param host0 where host0 itself is now */
  constructor(host0: () => NodePlace) {
    this.#host0 = host0;
  }

  placeOf(machine: MachineWord): NodePlace | undefined {
    return machine === 'host0' ? this.#host0() : this.#places.get(machine);
  }

  /** Takes the record of a member. */
  take({ machine, name, ipv4 }: { readonly machine?: MachineId; readonly name: string; readonly ipv4: Ipv4 }): void {
    if (machine === undefined) return;
    const before = this.#places.get(machine);
    if (before?.underlay === ipv4 && before.name === name) return;
    this.#places.set(machine, { name, underlay: ipv4 });
    this.#changes.emit(machine);
  }

  /** The segments have changed. */
  host0Moved(): void {
    this.#changes.emit(undefined);
  }
}
