/** The ports of a workload's cards: which are to be made, moved and removed when the workload changes or goes elsewhere. */
import { isDeepStrictEqual } from 'node:util';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import type { WorkloadNetwork } from '../../model/workload/network.ts';
import type { Workload } from '../../model/workload/workload.ts';
import type { PortBook, PortChanges } from '../ports/port-book.ts';
import type { WorkloadNode, WorkloadRecord } from './workload-record.ts';

/** Where cards are plugged in. */
export interface CardNetworks {
  /** @throws MESH_NET_UNKNOWN */
  readonly network: (wanted: string) => Network;
  /** The mesh over which nodes hear host0; undefined while there is none. */
  readonly management: () => Pick<Network, 'id'> | undefined;
  readonly ports: Pick<PortBook, 'all'>;
  /** Judges whether a node can have a network. Absent: every node can. @throws MESH_MULTICAST_SEGMENT */
  readonly admit?: (network: Network, machine: MachineWord) => void;
}

/** What happens to the ports of a workload. */
export interface CardPlan {
  readonly changes: Required<PortChanges>;
  /** The ports of the cards afterwards. @param made the ids of the new ports, in the order of `changes.create` */
  readonly portsAfter: (made: readonly string[]) => Readonly<Record<string, string>>;
  /** What is done, a line each. */
  readonly steps: readonly string[];
}

/**
 * The network of a card.
 * @throws MESH_NET_UNKNOWN, MESH_PORT_UNFIT for the management mesh
 */
export function networkOfCard({ network: wanted }: WorkloadNetwork, { network, management }: CardNetworks): Network {
  const found = network(wanted);
  if (found.id !== management()?.id) return found;
  throw new MeshError('MESH_PORT_UNFIT', `${found.name} is the management mesh`, {
    object: found.name,
    rule: 'No guest is in the management mesh: nodes hear host0 over it.',
    remedy: 'Name another network: `mesh network list`.',
  });
}

/**
 * The ports that a workload needs on a node, beside those that it has. A port goes on with its id and its Ethernet address, where
 * its card is in the same network as before, also when the card has other IP addresses.
 * @param before undefined for a new workload
 * @throws those of `networkOfCard`, MESH_MULTICAST_SEGMENT
 */
export function planCards(
  workload: Workload,
  at: WorkloadNode,
  before: WorkloadRecord | undefined,
  networks: CardNetworks,
): CardPlan {
  const known = new Map(networks.ports.all.map((port) => [port.id, port]));
  const kept: Record<string, string> = {};
  const wanting: WorkloadNetwork[] = [];
  const move: Required<PortChanges>['move'][number][] = [];
  const steps: string[] = [];
  for (const card of workload.networks) {
    const network = networkOfCard(card, networks);
    if (before?.at?.machine !== at.machine) networks.admit?.(network, at.machine);
    const port = known.get(before?.ports[card.id] ?? '');
    const isSame = port?.network === network.id && (card.mac === undefined || card.mac === port.mac);
    if (port === undefined || !isSame) {
      wanting.push(card);
      steps.push(`place a port for the card ${card.id} in ${network.name} on ${at.node}`);
      continue;
    }
    kept[card.id] = port.id;
    const addresses = card.addresses.map(({ address }) => address);
    const isElsewhere = port.machine !== at.machine;
    const isOther = !isDeepStrictEqual(port.addresses ?? [], addresses);
    if (isElsewhere || isOther) move.push({ id: port.id, ...at, ...(isOther && { addresses }) });
    if (isElsewhere) steps.push(`move port ${port.id} in ${network.name} to ${at.node}`);
    if (isOther) steps.push(`give port ${port.id} the addresses ${addresses.join(', ') || 'that its guest takes'}`);
  }
  const remove = Object.values(before?.ports ?? {}).filter((id) => known.has(id) && !Object.values(kept).includes(id));
  steps.push(...remove.map((id) => `delete port ${id}`));
  const create = wanting.map((card) => {
    const addresses = card.addresses.map(({ address }) => address);
    return {
      ...at,
      network: networkOfCard(card, networks).id,
      vm: workload.name,
      ...(card.mac !== undefined && { mac: card.mac }),
      ...(addresses.length > 0 && { addresses }),
    };
  });
  const portsAfter = (made: readonly string[]) => ({
    ...kept,
    ...Object.fromEntries(wanting.map(({ id }, index) => [id, made[index] ?? ''])),
  });
  return { changes: { create, move, remove }, portsAfter, steps };
}
