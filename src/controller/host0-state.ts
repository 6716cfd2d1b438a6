/**
 * The state of host0's own machine that other parts of host0 report: its segments, its NICs, and the names of machines.
 * Nothing of this is kept in the store.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet } from '../model/address/ipv4.ts';
import type { MachineId } from '../model/machine.ts';
import { Signal, type Subscribable } from '../model/signal.ts';
import type { Segment, UnderlayNic } from '../protocol/documents/assignment.ts';
import type { Finding } from '../protocol/documents/finding.ts';
import type { JoinView } from '../protocol/documents/views.ts';
import type { Journal } from '../protocol/journal/journal.ts';

/** host0's address while it has had none. */
const UNSPECIFIED = '0.0.0.0' as Ipv4;

/** The networks on host0's NICs, as boot/nics/segments.ts derives them. */
interface HostUnderlay {
  readonly segments: readonly Segment[];
  readonly joins: readonly Omit<JoinView, 'admits'>[];
  /** Links that have an address and are no candidates because of their kind. */
  readonly others: readonly string[];
  readonly findings: readonly Finding[];
}

/** Keeps the last reports, and emits the ones that are news. */
export class Host0State {
  readonly #journal: Journal;
  readonly #changes = new Signal<'segments' | 'nics'>();
  /** Emits what has changed; names of machines are read when they are needed. */
  readonly changes: Subscribable<'segments' | 'nics'> = this.#changes;
  #segments: readonly Segment[] = [];
  /** host0's address when it last had a segment: nodes do not take a member list in which host0 has none. */
  #lastIpv4: Ipv4 = UNSPECIFIED;
  #joins: readonly Omit<JoinView, 'admits'>[] = [];
  #others: readonly string[] = [];
  #findings: readonly Finding[] = [];
  #nics: readonly UnderlayNic[] = [];
  #machineNames: ReadonlyMap<MachineId, string> = new Map();
  #machineByName: ReadonlyMap<string, MachineId> = new Map();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** The segments that nodes can be on. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** The underlay subnets that host0 forwards VXLAN between. */
  get subnets(): readonly Ipv4Cidr[] {
    return this.#segments.map(({ subnet }) => subnet);
  }

  /** The NICs that host0's agent must set up. */
  get nics(): readonly UnderlayNic[] {
    return this.#nics;
  }

  /** The names of the machines that have a folder in `/host0/machines`. */
  get machineNames(): ReadonlyMap<MachineId, string> {
    return this.#machineNames;
  }

  /** The machine whose folder has this name. @param name in lower case */
  machineNamed(name: string): MachineId | undefined {
    return this.#machineByName.get(name);
  }

  /** host0's underlay address for a node at `viewer`: the one on the segment that both are on, else the first one. */
  addressFor(viewer: Ipv4 | undefined): Ipv4 {
    const shared = this.#segments.find(({ subnet }) => viewer !== undefined && ipv4InSubnet(viewer, subnet));
    return (shared ?? this.#segments[0])?.ipv4 ?? this.#lastIpv4;
  }

  /** The networks on host0's NICs, each with the reason why its machines may join or not. */
  get joins(): readonly Omit<JoinView, 'admits'>[] {
    return this.#joins;
  }

  /** Links that have an address and are no segments because of their kind, as `tun0 (10.8.0.1/24)`. */
  get others(): readonly string[] {
    return this.#others;
  }

  /** What is not well with the choice of segments. */
  get findings(): readonly Finding[] {
    return this.#findings;
  }

  /** Called after each change of host0's links, addresses and routes. */
  setUnderlay({ segments, joins, others, findings }: HostUnderlay): void {
    this.#others = others;
    this.#joins = joins;
    this.#findings = findings;
    this.setSegments(segments);
  }

  setSegments(segments: readonly Segment[]): void {
    if (isDeepStrictEqual(segments, this.#segments)) return;
    this.#segments = segments;
    this.#lastIpv4 = segments[0]?.ipv4 ?? this.#lastIpv4;
    const list = segments.map(({ device, ipv4, subnet }) => `${ipv4} on ${device} (${subnet})`).join(', ');
    this.#journal.record({ kind: 'segments changed', message: `segments: ${list || 'none'}` });
    this.#changes.emit('segments');
  }

  /** Called by the boot service, which decides on NICs and their addresses. */
  setNics(nics: readonly UnderlayNic[]): void {
    if (isDeepStrictEqual(nics, this.#nics)) return;
    this.#nics = nics;
    this.#changes.emit('nics');
  }

  /** Called after each look at `/host0/machines`. */
  setMachineNames(names: ReadonlyMap<MachineId, string>): void {
    this.#machineNames = names;
    this.#machineByName = new Map(Array.from(names, ([machine, name]) => [name.toLowerCase(), machine]));
  }
}
