/** The forms of workloads as host0 shows them. Fields that this version does not know stay. */
import { WANTED_RUNS, WORKLOAD_PARTS_MAX, WorkloadNameShape, WorkloadShape } from '../../model/workload/workload.ts';
import { RUN_STATES } from '../documents/workload/assigned-workload.ts';
import type { WorkloadAnswer, WorkloadPortView, WorkloadView } from '../documents/workload/workload-view.ts';
import { PortIdShape, WorkloadIdShape, WorkloadRunShape } from './assigned-workload-shape.ts';
import * as form from './form.ts';
import { MachineWordShape } from './node-assignment-shape.ts';
import { ErrorShape, MacShape, TextShape } from './parts.ts';

const ADDRESSES_MAX = 64;
const STEPS_MAX = 256;
const NODES_MAX = 4_096;

const WorkloadPortShape: form.Shape<WorkloadPortView> = form.looseObject({
  id: form.string({ max: 64 }),
  network: form.string({ max: 64 }),
  port: form.exactOptional(PortIdShape),
  mac: form.exactOptional(MacShape),
  addresses: form.listOf(form.string({ max: 64 }), ADDRESSES_MAX),
});

/** A workload. */
export const WorkloadViewShape: form.Shape<WorkloadView> = form.looseObject({
  name: WorkloadNameShape,
  id: WorkloadIdShape,
  workload: WorkloadShape,
  wanted: form.oneOf(WANTED_RUNS),
  generation: form.int(0),
  state: form.oneOf([...RUN_STATES, 'new', 'waiting', 'moving', 'lost']),
  ageSec: form.exactOptional(form.int(0)),
  why: form.exactOptional(TextShape),
  error: form.exactOptional(ErrorShape),
  node: form.exactOptional(TextShape),
  machine: form.exactOptional(MachineWordShape),
  movesTo: form.exactOptional(TextShape),
  ports: form.listOf(WorkloadPortShape, WORKLOAD_PARTS_MAX),
  run: form.exactOptional(WorkloadRunShape),
  alsoOn: form.exactOptional(form.listOf(TextShape, NODES_MAX)),
});

/** What a command does to a workload. */
export const WorkloadAnswerShape: form.Shape<WorkloadAnswer> = form.looseObject({
  workload: WorkloadViewShape,
  steps: form.listOf(TextShape, STEPS_MAX),
  dryRun: form.boolean(),
});
