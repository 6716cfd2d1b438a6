/** Composes what host0 gives to nodes: the networks of the catalogue, for those who hold them. */
import { OwnNode } from '../api/channel/own-node.ts';
import { Assignments, type AssignmentsInput } from '../controller/assignments/assignments.ts';
import { NodeOrphans } from '../controller/assignments/node-orphans.ts';
import type { NetworkCatalogue } from '../controller/catalogue/network-catalogue.ts';
import { HostAddresses } from '../controller/pools/host-addresses.ts';
import type { HealthSource } from '../protocol/documents/finding.ts';

/** What host0 has before its assignments. */
export interface Host0AssignmentsInput extends AssignmentsInput {
  readonly catalogue: NetworkCatalogue;
  /** The path of the socket of host0's own agent. */
  readonly agentSock: string;
}

/** The assignments while host0's daemon runs. */
export interface Host0Assignments {
  readonly assignments: Assignments;
  readonly orphans: NodeOrphans;
  /** What has findings. */
  readonly parts: readonly HealthSource[];
  close(): void;
}

/** Reads what nodes hold, and gives host0's own agent its assignment. */
export async function openAssignments(input: Host0AssignmentsInput): Promise<Host0Assignments> {
  const { catalogue, agentSock } = input;
  const hostAddresses = await HostAddresses.open(input.store);
  const assignments = new Assignments({ ...input, hostAddresses });
  const settle = () =>
    void hostAddresses
      .settle(() =>
        catalogue.given.networks.map((network) => ({ network, holders: assignments.holdersOf(network.id) })),
      )
      .catch((thrown: unknown) => input.journal.failure('host addresses not kept', thrown));
  assignments.subscribe(settle);
  await assignments.start();
  catalogue.usedBy(assignments.use);
  assignments.uses.subscribe(() => catalogue.usesChanged());
  catalogue.changes.subscribe(() => assignments.setNetworks(catalogue.given));
  const ownNode = new OwnNode({ ...input, socketPath: agentSock, assignments });
  ownNode.start();
  return {
    assignments,
    parts: [hostAddresses],
    orphans: new NodeOrphans(assignments, (network) => catalogue.apply({ ...network })),
    close: () => {
      ownNode.close();
      assignments.close();
    },
  };
}
