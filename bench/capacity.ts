/** What a cluster of a size asks of its machines: the cost model's counts times what one of each was measured to take. Pure. */
import { bootCost, joinsPerMessage, type Shape, steadyCostPerSec } from './cost-model.ts';

/**
 * Measured by `npm run bench:scale` with 1,000 and 3,000 members on two shared cores of a virtual machine (docs/performance.md
 * has the runs). The processor's time is with the kernel's part of it, for both ends of the virtual wires.
 */
export const MEASURED = {
  /** host0's daemon: a report on a connection of its own, answered, and the comment that goes down the stream meanwhile. */
  cpuUsPerReport: 500,
  /** host0's daemon: one write to one stream. */
  cpuUsPerWrite: 12,
  /** host0's daemon: a member's stream and all that goes with it. */
  daemonKbPerMembership: 200,
  /** Any agent: what it remembers of a member. */
  agentKbPerMember: 16,
  /** On the underlay, both ways, with all headers: a report, its answer and a comment. */
  frameBytesPerReport: 2_150,
} as const;

const KB_PER_MB = 1024;
/** A TIME-WAIT of Linux (TCP_TIMEWAIT_LEN): host0 ends the connection of a report, and keeps it so long. */
const TIME_WAIT_SEC = 60;

export interface Capacity {
  /** Node × network. */
  readonly memberships: number;
  readonly boot: {
    readonly messages: number;
    readonly mb: number;
    readonly joinsPerMessage: number;
    readonly daemonCpuSec: number;
    readonly operationsPerMachine: number;
  };
  readonly steady: {
    readonly messagesPerSec: number;
    readonly linkMbitPerSec: number;
    /** Of one core; the daemon has one thread for all this. */
    readonly daemonCpuPercent: number;
  };
  readonly daemonMb: number;
  readonly daemonSockets: number;
  readonly timeWaits: number;
  readonly agentMb: number;
  /** In the forwarding and neighbour tables of each machine. */
  readonly entriesPerMachine: number;
  /** So often a broadcast frame leaves its sender. */
  readonly floodCopies: number;
}

export function capacityOf(shape: Shape): Capacity {
  const { nodes, networks } = shape;
  const boot = bootCost(shape);
  const steady = steadyCostPerSec(shape);
  const memberships = nodes * networks;
  const { reportsPerSec } = steady;
  const writes = boot.messages - 2 * memberships;
  const cpuUs = writes * MEASURED.cpuUsPerWrite + memberships * MEASURED.cpuUsPerReport;
  return {
    memberships,
    boot: {
      messages: boot.messages,
      mb: boot.bytes / 1e6,
      joinsPerMessage: joinsPerMessage(shape),
      daemonCpuSec: cpuUs / 1e6,
      operationsPerMachine: boot.operations / (nodes + 1),
    },
    steady: {
      messagesPerSec: steady.messages,
      linkMbitPerSec: (reportsPerSec * MEASURED.frameBytesPerReport * 8) / 1e6,
      daemonCpuPercent: (reportsPerSec * MEASURED.cpuUsPerReport) / 1e4,
    },
    daemonMb: (memberships * MEASURED.daemonKbPerMembership) / KB_PER_MB,
    daemonSockets: memberships,
    timeWaits: reportsPerSec * TIME_WAIT_SEC,
    agentMb: (memberships * MEASURED.agentKbPerMember) / KB_PER_MB,
    entriesPerMachine: 4 * memberships,
    floodCopies: nodes,
  };
}
