/**
 * A workload on its way to its node, and how it is there. host0 gives each node its workloads in the assignment (`workloads`); the
 * node says in its status how each of them runs (`runs`), and what it could still take (`capacity`).
 */
import type { ErrorDocument } from '../../../model/error.ts';
import type { WantedRun, Workload } from '../../../model/workload/workload.ts';

/** A workload that a node should have. It has a status of its own (`ObjectStatus` of the kind `workload`, by `id`). */
export interface AssignedWorkload {
  /** An older node knows no kind, says MESH_NOT_SUPPORTED of the workload and takes the rest of the assignment. */
  readonly kind: 'vm';
  /** 8 hex digits (`workloadIdOf`). Names what the node has of the workload: sockets, tap, volumes of its own. */
  readonly id: string;
  /** Grows with each start, restart, change and move: the node runs the workload anew when it has another one running. */
  readonly generation: number;
  readonly workload: Workload;
  /** The id of the port (`AssignedPort.id`) of each network card, by the id of the card. */
  readonly ports: Readonly<Record<string, string>>;
  readonly wanted: WantedRun;
  /** It goes to another node: its volumes may be read. Each move is a change, so that the node takes it up, also of a stopped workload. */
  readonly leaving?: true;
  /** The word of the copy in which its volumes have come to this node (volume-copy.ts). */
  readonly arrived?: string;
}

/** What a workload does on its node. */
export const RUN_STATES = [
  /** What the emulator needs is on its way: images, volumes, ports, memory. `why` says which. */
  'preparing',
  'starting',
  'running',
  'paused',
  /** The guest was told to power off, and has time to do so. */
  'stopping',
  /** Stopped because that is wanted. */
  'stopped',
  /** The guest ended by itself, and is not started again: it powered off, or its policy says never. */
  'ended',
  /** The emulator ended with a fault; it is started again by its policy, or not. `error` says why it ended. */
  'failed',
  /** Paused by a full disk: goes on once there is room and it is told to resume. */
  'disk-full',
] as const;

/** One of `RUN_STATES`. */
export type RunState = (typeof RUN_STATES)[number];

/** How fast a guest runs: by the processor itself, or emulated. */
export const ACCELERATORS = ['kvm', 'tcg'] as const;

/** How a workload runs on its node. */
export interface WorkloadRun {
  readonly id: string;
  /** Of the assigned workload that runs, or ran last. */
  readonly generation: number;
  readonly state: RunState;
  /** For how long in this state. */
  readonly ageSec: number;
  /** What the state waits for, or what the guest did last, in words. */
  readonly why?: string;
  /** Of the last end, or of what keeps the workload from starting. */
  readonly error?: ErrorDocument;
  readonly pid?: number;
  readonly accelerator?: (typeof ACCELERATORS)[number];
  /** Why the guest is emulated, or has another CPU than was asked for. */
  readonly acceleratorWhy?: string;
  /** The CPU model that the guest has. */
  readonly cpuMode?: string;
  /** How often the emulator was started again by the policy since the last start that was wanted. */
  readonly restarts: number;
  /** The memory of the node that volumes take now, on a node without a disk. */
  readonly volumeMemoryBytes?: number;
  /** The memory that they may come to take: the disks that the guest sees. */
  readonly volumeDemandBytes?: number;
  /** What the emulator uses. */
  readonly memoryBytes?: number;
  readonly cpuSec?: number;
}

/** What a node has for workloads. */
export interface NodeCapacity {
  readonly memoryBytes: number;
  /** Memory that is free now, or could be (MemAvailable). */
  readonly availableBytes: number;
  readonly threads: number;
  readonly accelerator: (typeof ACCELERATORS)[number] | 'none';
  /** Why guests are emulated here, or why there is no emulator. */
  readonly why?: string;
  /** Models that `-cpu` takes, when the emulator has been asked. */
  readonly cpuModes?: readonly string[];
  /** Where volumes are: on a disk of the node, or in its memory, which they then take. */
  readonly volumes: 'disk' | 'memory';
  /** What is free for volumes. */
  readonly volumeBytes: number;
}
