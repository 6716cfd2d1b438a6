/** Who holds which network: an index over all holdings, changed by single nodes. */
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { AttachmentReason } from '../../protocol/documents/node-assignment.ts';
import type { GivenCatalogue } from './given-network.ts';
import type { GivenServices } from './given-services.ts';
import { type SpannedNode, spans } from './network-span.ts';

/** A node with its ports. */
export interface HoldingNode extends Omit<SpannedNode, 'roles'> {
  /** Absent: only ports let the node hold a network. */
  readonly roles?: readonly string[];
  /** The networks that the node serves. Absent: none. */
  readonly serves?: readonly NetworkId[];
  /** Each with the identifier or the name of its network. */
  readonly ports: readonly { readonly network: string }[];
}

/** The networks that a node began and ceased to hold. */
export interface HolderChange {
  readonly began: readonly NetworkId[];
  readonly ceased: readonly NetworkId[];
}

const NOBODY: ReadonlySet<MachineWord> = new Set();
const NOTHING: ReadonlySet<NetworkId> = new Set();

/** Both directions: the networks of a node, and the nodes of a network. */
export class HolderIndex {
  #networks = new Map<NetworkId, Network>();
  /** Identifiers by identifier and by name: a node that has not got a network knows its name alone. */
  #ids = new Map<string, NetworkId>();
  /** The nodes with ports in a network, by the identifier or the name that they say. */
  readonly #naming = new Map<string, Set<MachineWord>>();
  readonly #words = new Map<MachineWord, ReadonlySet<string>>();
  #spanning: readonly Network[] = [];
  /** The networks that span a node, those in which it has ports, and those that it serves. */
  readonly #pinned = new Map<MachineWord, ReadonlySet<NetworkId>>();
  readonly #named = new Map<MachineWord, ReadonlySet<NetworkId>>();
  readonly #served = new Map<MachineWord, ReadonlySet<NetworkId>>();
  readonly #held = new Map<MachineWord, ReadonlySet<NetworkId>>();
  readonly #holders = new Map<NetworkId, Set<MachineWord>>();

  /** The networks of a node, in the order of the networks. */
  heldBy(machine: MachineWord): ReadonlySet<NetworkId> {
    return this.#held.get(machine) ?? NOTHING;
  }

  /** The nodes that hold a network. */
  holdersOf(network: NetworkId): ReadonlySet<MachineWord> {
    return this.#holders.get(network) ?? NOBODY;
  }

  /** Why a node holds a network. */
  reasonsOf(machine: MachineWord, network: NetworkId): readonly AttachmentReason[] {
    const reasons = { pinned: this.#pinned, port: this.#named, service: this.#served };
    return (['pinned', 'port', 'service'] as const).filter((reason) => reasons[reason].get(machine)?.has(network));
  }

  network(id: NetworkId): Network | undefined {
    return this.#networks.get(id);
  }

  /** Takes other networks. Each node must be derived again. @returns the identifiers of networks that are new, gone or different */
  setNetworks(networks: readonly Network[]): ReadonlySet<NetworkId> {
    const before = this.#networks;
    this.#networks = new Map(networks.map((network) => [network.id, network]));
    const names = networks.map(({ id, name }): [string, NetworkId] => [name, id]);
    this.#ids = new Map([...names, ...networks.map(({ id }): [string, NetworkId] => [id, id])]);
    this.#spanning = networks.filter(isSpanning);
    const ids = new Set([...before.keys(), ...this.#networks.keys()]);
    return new Set([...ids].filter((id) => before.get(id) !== this.#networks.get(id)));
  }

  /**
   * Takes networks that are new, gone or different.
   * @param services the nodes that serve a network may be any. Absent: none is served
   * @returns the nodes that must be derived again; `all` when any may hold a network without a port
   */
  changeNetworks(
    ids: Iterable<NetworkId>,
    catalogue: Pick<GivenCatalogue, 'givenOf'>,
    services: Pick<GivenServices, 'has'> | undefined,
  ): ReadonlySet<MachineWord> | 'all' {
    const concerned = new Set<MachineWord>();
    let isAll = false;
    for (const id of ids) {
      const [before, after] = [this.#networks.get(id), catalogue.givenOf(id)];
      const machines = this.#changeNetwork(id, after);
      isAll ||= machines === 'all' || [before, after].some((network) => network && services?.has(network));
      if (machines !== 'all') for (const machine of machines) concerned.add(machine);
    }
    return isAll ? 'all' : concerned;
  }

  #changeNetwork(id: NetworkId, now: Network | undefined): ReadonlySet<MachineWord> | 'all' {
    const before = this.#networks.get(id);
    if (before === now) return new Set();
    if (before !== undefined && this.#ids.get(before.name) === id) this.#ids.delete(before.name);
    if (now === undefined) {
      this.#networks.delete(id);
      this.#ids.delete(id);
    } else {
      this.#networks.set(id, now);
      if (!this.#networks.has(now.name as NetworkId)) this.#ids.set(now.name, id);
      this.#ids.set(id, id);
    }
    const both = [before, now].filter((network) => network !== undefined);
    if (both.some(isSpanning)) {
      const others = this.#spanning.filter((network) => network.id !== id);
      const spanning = now !== undefined && isSpanning(now) ? [...others, now] : others;
      this.#spanning = spanning.sort((a, b) => a.number - b.number);
      return 'all';
    }
    const words = new Set([id, ...both.map(({ name }) => name)]);
    return new Set([...words].flatMap((word) => [...(this.#naming.get(word) ?? [])]).concat(...this.holdersOf(id)));
  }

  /** Derives the networks of one node. */
  derive({ machine, name, roles, ports, serves = [] }: HoldingNode): HolderChange {
    const before = this.heldBy(machine);
    this.#names(machine, new Set(ports.map(({ network }) => network)));
    const named = new Set(ports.map(({ network }) => this.#ids.get(network)).filter((id) => id !== undefined));
    const spanning =
      roles === undefined ? [] : this.#spanning.filter(({ span }) => spans(span, { machine, name, roles }));
    const pinned = new Set(spanning.map(({ id }) => id));
    this.#pinned.set(machine, pinned);
    this.#named.set(machine, named);
    const served = new Set(serves);
    this.#served.set(machine, served);
    const now = new Set([...pinned, ...named, ...served]);
    this.#held.set(machine, now);
    const began = [...now].filter((id) => !before.has(id));
    const ceased = [...before].filter((id) => !now.has(id));
    for (const id of began) {
      const holders = this.#holders.get(id) ?? new Set();
      this.#holders.set(id, holders.add(machine));
    }
    for (const id of ceased) {
      const holders = this.#holders.get(id);
      holders?.delete(machine);
      if (holders?.size === 0) this.#holders.delete(id);
    }
    return { began, ceased };
  }

  #names(machine: MachineWord, words: ReadonlySet<string>): void {
    for (const word of this.#words.get(machine) ?? []) {
      const machines = this.#naming.get(word);
      machines?.delete(machine);
      if (machines?.size === 0) this.#naming.delete(word);
    }
    for (const word of words) this.#naming.set(word, (this.#naming.get(word) ?? new Set()).add(machine));
    this.#words.set(machine, words);
  }
}

/** Whether nodes hold the network without a port. */
function isSpanning({ span }: Network): boolean {
  return span.kind !== 'on-demand' && span.kind !== 'file';
}
