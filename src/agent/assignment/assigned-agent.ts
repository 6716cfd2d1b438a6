/** What the assignments of a node need of the agent: how networks, ports and workloads are. */
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { Network } from '../../model/network/network.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import type { AssignedPort, NodeStatus, PortStatus } from '../../protocol/documents/node-assignment.ts';
import type { NodeCapacity, WorkloadRun } from '../../protocol/documents/workload/assigned-workload.ts';

/** A port that the node's administrator plugged in, and how it is. */
export interface LocalPort {
  readonly link: string;
  /** The name of the network while the node does not have it, else its identifier. */
  readonly network: string;
  readonly state: 'plugged' | 'wanted';
}

/** The part of the agent that assignments use. */
export interface AssignedAgent {
  stateOf(network: Network): NetworkState;
  /** Resolves when the kernel has what the assignment asks for, or a step failed. Never rejects. */
  takeUp(): Promise<void>;
  /** The ports that the node's administrator plugged in. */
  localPorts(): readonly LocalPort[];
  /** How a port is that host0 has given. */
  portState(port: AssignedPort): PortState;
  /** The source of the node's VXLAN packets of a network; undefined while it has none of its own. */
  vtepOf(network: Network): Ipv4 | Ipv6 | undefined;
}

/** The part of the agent that runs workloads. */
export interface AssignedRuns {
  /** How each workload runs. One that is not named has not been taken up yet. */
  runs(): readonly WorkloadRun[];
  /** What the node has for workloads; undefined before the emulator was asked. */
  capacity(): NodeCapacity | undefined;
}

/** The part of the agent that listens in multicast groups. */
export interface GroupListener {
  readonly hearings: NodeStatus['groups'];
}

/** Whether a port is on the bridge of its network, and what else is known of a port of a guest. */
export type PortState = ({ readonly state: 'plugged' } | { readonly state: 'wanted'; readonly why: string }) & {
  readonly port?: PortStatus;
};
