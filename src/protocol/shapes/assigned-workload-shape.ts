/** The forms of workloads on their way to their nodes, and of how they are there. */

import { PartIdShape } from '../../model/workload/volume.ts';
import { CpuModeShape, WANTED_RUNS, WORKLOAD_PARTS_MAX, WorkloadShape } from '../../model/workload/workload.ts';
import {
  ACCELERATORS,
  type AssignedWorkload,
  type NodeCapacity,
  RUN_STATES,
  type WorkloadRun,
} from '../documents/workload/assigned-workload.ts';
import * as form from './form.ts';
import { ErrorShape, TextShape } from './parts.ts';

/** QEMU knows some 120 models. */
const CPU_MODES_MAX = 1_024;
const Bytes = form.int(0);

/** The id of a workload in the cluster. */
export const WorkloadIdShape: form.Shape<string> = form.string({ pattern: /^[0-9a-f]{8}$/ });
/** The id of a port that host0 has placed. */
export const PortIdShape: form.Shape<string> = form.string({ pattern: /^[0-9a-f]{1,16}$/ });

/** One workload of a node, as a document has it. Also the form on the node's disk. */
export const AssignedWorkloadShape: form.Shape<AssignedWorkload> = form.object({
  kind: form.literal('vm'),
  id: WorkloadIdShape,
  generation: form.int(1),
  workload: WorkloadShape,
  ports: form.recordOf(PartIdShape, PortIdShape, WORKLOAD_PARTS_MAX),
  wanted: form.oneOf(WANTED_RUNS),
  leaving: form.exactOptional(form.literal(true)),
  arrived: form.exactOptional(form.string({ pattern: /^[\da-f]{16}$/ })),
});

/** How a workload runs. */
export const WorkloadRunShape: form.Shape<WorkloadRun> = form.object({
  id: WorkloadIdShape,
  generation: form.int(0),
  state: form.oneOf(RUN_STATES),
  ageSec: form.int(0),
  why: form.exactOptional(TextShape),
  error: form.exactOptional(ErrorShape),
  pid: form.exactOptional(form.int(1)),
  accelerator: form.exactOptional(form.oneOf(ACCELERATORS)),
  acceleratorWhy: form.exactOptional(TextShape),
  cpuMode: form.exactOptional(CpuModeShape),
  restarts: form.otherwise(form.int(0), 0),
  volumeMemoryBytes: form.exactOptional(Bytes),
  volumeDemandBytes: form.exactOptional(Bytes),
  memoryBytes: form.exactOptional(Bytes),
  cpuSec: form.exactOptional(form.number()),
});

/** What a node has for workloads. */
export const NodeCapacityShape: form.Shape<NodeCapacity> = form.object({
  memoryBytes: Bytes,
  availableBytes: Bytes,
  threads: form.int(1),
  accelerator: form.oneOf([...ACCELERATORS, 'none']),
  why: form.exactOptional(TextShape),
  cpuModes: form.exactOptional(form.listOf(CpuModeShape, CPU_MODES_MAX)),
  volumes: form.oneOf(['disk', 'memory']),
  volumeBytes: Bytes,
});
