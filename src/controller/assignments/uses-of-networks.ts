/** How networks are used: what the catalogue asks before a network goes. */
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { NetworkUse } from '../catalogue/network-use.ts';
import type { PortBook } from '../ports/port-book.ts';
import type { HoldingRecord } from './holding-record.ts';

/** A node whose channel stands. */
export interface ReachedNode {
  /** Takes all ports of a network off the node. Rejects when the node does not do so. */
  unplug(network: Pick<Network, 'id' | 'name'>): Promise<void>;
}

/** A port that a node's administrator plugged in. */
interface ReportedPort {
  readonly machine: MachineWord;
  readonly node: string;
  readonly link: string;
  /** The identifier or the name of the network. */
  readonly network: string;
}

/** Where the answers come from. */
export interface UsesInput {
  readonly network: (id: NetworkId) => Network | undefined;
  /** Undefined until they have been read. */
  readonly holdings: () => Iterable<HoldingRecord> | undefined;
  readonly placed: Pick<PortBook, 'in' | 'remove'>;
  /** The networks that a node has said to have from host0; undefined before its first report. */
  readonly networksOf: (machine: MachineWord) => ReadonlySet<string> | undefined;
  readonly reached: (machine: MachineWord) => ReachedNode | undefined;
  readonly isOrphan: (number: number) => boolean;
}

/** The ports that administrators of nodes plugged in. */
function reportedPorts(holdings: Iterable<HoldingRecord> = []): ReportedPort[] {
  return [...holdings].flatMap(({ machine, name, ports }) => ports.map((port) => ({ machine, node: name, ...port })));
}

/** The answers for the catalogue. */
export function usesOfNetworks({ network, holdings, placed, networksOf, reached, isOrphan }: UsesInput): NetworkUse {
  const plugged = (id: NetworkId): ReportedPort[] => {
    const name = network(id)?.name;
    return name === undefined
      ? []
      : reportedPorts(holdings()).filter((port) => port.network === id || port.network === name);
  };
  return {
    ports: (id) => [...plugged(id), ...placed.in(id)].map(({ node, link }) => ({ node, interface: link })),
    // Nodes that are away had the network when they were last heard.
    nodes: (id) => {
      const nodes = holdings();
      return (
        nodes &&
        [...nodes]
          .filter(({ machine, ports }) => networksOf(machine)?.has(id) ?? ports.some((port) => port.network === id))
          .map(({ name }) => name)
      );
    },
    isOrphan,
    // A node that is not reached keeps the ports of its administrator. Without their network, they wait for one of that name.
    unplug: async (id) => {
      const known = network(id);
      const machines = new Set(plugged(id).map(({ machine }) => machine));
      const asked = known === undefined ? [] : Array.from(machines, (machine) => reached(machine)?.unplug(known));
      await Promise.allSettled([...asked, ...placed.in(id).map((port) => placed.remove(port.id))]);
    },
  };
}
