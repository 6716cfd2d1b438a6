/** The multicast networks of the catalogue, with what their nodes hear. */
import { type Ipv4Cidr, ipv4InSubnet, isIpv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { MulticastView } from '../../protocol/documents/catalogue.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import type { Assignments } from '../assignments/assignments.ts';
import type { NodePlaces } from '../assignments/node-places.ts';
import { type GroupMember, multicastFindings, multicastView } from './multicast-reach.ts';

/** Where the reach of networks is read from. */
export interface MulticastWatchInput {
  readonly networks: () => readonly Network[];
  readonly assignments: Pick<Assignments, 'holdersOf' | 'nameOf'> & {
    readonly reports: Pick<Assignments['reports'], 'hearingOf'>;
  };
  readonly places: Pick<NodePlaces, 'placeOf'>;
  /** host0's segments. */
  readonly segments: () => readonly { readonly subnet: Ipv4Cidr; readonly device: string }[];
}

/** Answers for `mesh network show` and `mesh doctor`, and refuses nodes on another segment. */
export class MulticastWatch implements HealthSource {
  readonly #input: MulticastWatchInput;

  constructor(input: MulticastWatchInput) {
    this.#input = input;
  }

  /** The reach of a network; undefined for one without multicast peers. */
  viewOf(network: Network): MulticastView | undefined {
    if (network.peers?.kind !== 'multicast') return undefined;
    return multicastView(network, this.#members(network.id));
  }

  health(): readonly Finding[] {
    return this.#input.networks().flatMap((network) => {
      const view = this.viewOf(network);
      return view === undefined ? [] : multicastFindings(network, view);
    });
  }

  /**
   * Whether a node can have a port in a network: multicast does not cross segments.
   * @throws MESH_MULTICAST_SEGMENT when a node that holds the network is on another segment
   */
  admit(network: Network, machine: MachineWord): void {
    if (network.peers?.kind !== 'multicast') return;
    const { assignments } = this.#input;
    const here = this.#segmentOf(machine);
    if (here === undefined) return;
    for (const holder of assignments.holdersOf(network.id)) {
      const there = this.#segmentOf(holder);
      // Where nodes hear each other across segments, an administrator has seen to it (a multicast router).
      if (there === undefined || there === here || this.#isHeard(network.id, holder, machine)) continue;
      throw otherSegment(network, assignments.nameOf(machine), here, assignments.nameOf(holder), there);
    }
  }

  #isHeard(network: NetworkId, holder: MachineWord, machine: MachineWord): boolean {
    const hearing = this.#input.assignments.reports.hearingOf(holder, network);
    return hearing?.hears.some((heard) => heard.machine === machine) ?? false;
  }

  #members(network: NetworkId): GroupMember[] {
    const { assignments } = this.#input;
    return assignments.holdersOf(network).map((machine) => ({
      machine,
      name: assignments.nameOf(machine),
      hearing: assignments.reports.hearingOf(machine, network),
      segment: this.#segmentOf(machine),
    }));
  }

  /** host0 is on all of its segments. */
  #segmentOf(machine: MachineWord): Ipv4Cidr | undefined {
    const underlay = machine === 'host0' ? undefined : this.#input.places.placeOf(machine)?.underlay;
    if (underlay === undefined || !isIpv4(underlay)) return undefined;
    return this.#input.segments().find(({ subnet }) => ipv4InSubnet(underlay, subnet))?.subnet;
  }
}

function otherSegment(network: Network, node: string, here: string, holder: string, there: string): MeshError {
  const { name } = network;
  return new MeshError(
    'MESH_MULTICAST_SEGMENT',
    `${node} is on the segment ${here}, and ${holder}, which has ${name}, on ${there}`,
    {
      object: name,
      rule: 'Multicast does not cross from one segment to another: a network with multicast peers is on the nodes of one segment.',
      remedy:
        'Take a node of the same segment (`mesh node list`), or a network with assigned peers, which crosses segments.',
    },
  );
}
