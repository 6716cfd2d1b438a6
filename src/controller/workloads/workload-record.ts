/** Workloads in the store, under `/v1/workloads/<name>`. */
import type { MachineWord } from '../../model/machine.ts';
import { PartIdShape } from '../../model/workload/volume.ts';
import {
  WANTED_RUNS,
  type WantedRun,
  WORKLOAD_PARTS_MAX,
  type Workload,
  WorkloadShape,
  workloadIdOf,
} from '../../model/workload/workload.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import { PortIdShape } from '../../protocol/shapes/assigned-workload-shape.ts';
import * as form from '../../protocol/shapes/form.ts';
import { MachineWordShape } from '../../protocol/shapes/node-assignment-shape.ts';
import { NodeNameShape } from '../../protocol/shapes/parts.ts';
import { CopyWordShape } from '../../protocol/shapes/workload/volume-copy-shape.ts';
import { jsonRecords, type RecordForm } from '../../store/collection.ts';

/** The longest record: the user data of a seed is the most of it. */
const RECORD_MAX_LENGTH = 512 * 1024;

/** The node of a workload. */
export interface WorkloadNode {
  readonly machine: MachineWord;
  /** The node's name when the workload came there, for people. */
  readonly node: string;
}

/** A workload as host0 keeps it. */
export interface WorkloadRecord {
  readonly workload: Workload;
  readonly wanted: WantedRun;
  readonly generation: number;
  /** Absent: the workload has never been started, and has no port. */
  readonly at?: WorkloadNode;
  /** The id of the port of each card, by the id of the card. */
  readonly ports: Readonly<Record<string, string>>;
  /** Where the workload goes as soon as it has stopped. */
  readonly moving?: WorkloadMove;
  /** The word of the copy in which its disks have come to its node. */
  readonly arrived?: string;
  /** The mark of the order that has made the workload. */
  readonly order?: string;
}

/** Where a workload goes. */
export interface WorkloadMove extends WorkloadNode {
  /** The word of the copy of its disks. Absent: it goes without them. */
  readonly copy?: string;
}

const NODE = { machine: MachineWordShape, node: NodeNameShape };
const NodeShape: form.Shape<WorkloadNode> = form.object(NODE);
const MoveShape: form.Shape<WorkloadMove> = form.object({ ...NODE, copy: form.exactOptional(CopyWordShape) });

/** Records of workloads in the store. */
export const WORKLOAD_RECORDS: RecordForm<WorkloadRecord> = jsonRecords(
  '/v1/workloads/',
  ({ workload }) => workload.name,
  form.object({
    workload: WorkloadShape,
    wanted: form.oneOf(WANTED_RUNS),
    generation: form.int(0),
    at: form.exactOptional(NodeShape),
    ports: form.recordOf(PartIdShape, PortIdShape, WORKLOAD_PARTS_MAX),
    moving: form.exactOptional(MoveShape),
    arrived: form.exactOptional(CopyWordShape),
    order: form.exactOptional(form.string({ max: 64 })),
  }),
  RECORD_MAX_LENGTH,
);

/** The workload as its node is told of it. One that moves away stops there first. */
export function assignedWorkload(record: WorkloadRecord): AssignedWorkload {
  const { workload, wanted, generation, ports, moving, arrived } = record;
  return {
    ...{ kind: 'vm', id: workloadIdOf(workload.uuid), generation, workload, ports },
    wanted: moving === undefined ? wanted : 'stopped',
    ...(moving !== undefined && { leaving: true }),
    ...(arrived !== undefined && { arrived }),
  };
}
