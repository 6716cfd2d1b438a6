/** The load that a cluster of a given size puts on its machines: the counts of the cost model times measured costs. Pure. */
import { bootCost, joinsPerMessage, type Shape, steadyCostPerSec } from './cost-model.ts';

/**
 * Costs measured by `npm run bench:scale` with 1,000 and 3,000 members on two shared cores of a virtual machine
 * (docs/performance.md has the runs). Processor times include the kernel's, for both ends of the veth pairs.
 */
export const MEASURED = {
  /** host0's daemon: a report on a connection of its own, its answer, and one comment on the stream. */
  cpuUsPerReport: 500,
  /** host0's daemon: one write to one stream. */
  cpuUsPerWrite: 12,
  /** host0's daemon: a member with its stream. */
  daemonKbPerMembership: 200,
  /** Any agent: its memory of one member. */
  agentKbPerMember: 16,
  /** A report, its answer and a comment on the underlay, in both directions, with all headers. */
  frameBytesPerReport: 2_150,
} as const;

const KB_PER_MB = 1024;
/** How long Linux keeps an ended connection in TIME-WAIT (TCP_TIMEWAIT_LEN). host0 ends the connection of each report. */
const TIME_WAIT_SEC = 60;

/** What a cluster needs. */
export interface Capacity {
  /** Nodes times networks. */
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
  /** Streams that host0 holds. */
  readonly daemonSockets: number;
  /** Ended connections that host0's kernel keeps. */
  readonly timeWaits: number;
  /** In each agent. */
  readonly agentMb: number;
  /** FDB and neighbour entries of each machine. */
  readonly entriesPerMachine: number;
  /** Copies of a broadcast frame that its sender sends. */
  readonly floodCopies: number;
}

/** The needs of a cluster of this shape. */
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
