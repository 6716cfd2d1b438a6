/** Routes of host0's control socket: workloads. */
import type { ErrorCode } from '../../../model/error.ts';
import { WorkloadShape } from '../../../model/workload/workload.ts';
import * as form from '../../shapes/form.ts';
import { WORKLOADS_MAX } from '../../shapes/node-assignment-shape.ts';
import { WorkloadAnswerShape, WorkloadViewShape } from '../../shapes/workload-view-shapes.ts';
import { document, events, list, nameShape, type RouteTable, SwitchShape } from '../route.ts';

/** The user data of a seed is the most of a workload. */
const ORDER_MAX_BYTES = 512 * 1024;

const named = { name: nameShape(64) };
const dry = { 'dry-run': SwitchShape };
const answer = document(WorkloadAnswerShape);
const Start = form.object({
  node: form.exactOptional(form.string({ max: 64 })),
  workload: form.exactOptional(WorkloadShape),
});
const CHANGE_ERRORS: readonly ErrorCode[] = ['MESH_WORKLOAD_UNKNOWN', 'MESH_WORKLOAD_RUNS', 'MESH_STORE_CONFLICT'];
const PLACE_ERRORS: readonly ErrorCode[] = [
  ...CHANGE_ERRORS,
  'MESH_WORKLOAD_TWICE',
  'MESH_WORKLOAD_NO_ROOM',
  'MESH_NODE_UNKNOWN',
  'MESH_NODE_OFFLINE',
  'MESH_NET_UNKNOWN',
  'MESH_PORT_UNFIT',
  'MESH_PORT_MAC_TWICE',
];

/** The table. */
export const WORKLOAD_ROUTES = {
  'GET /v1/workloads': {
    summary: 'Lists the workloads of the cluster.',
    answer: list(WorkloadViewShape, WORKLOADS_MAX),
  },
  'GET /v1/workloads/{name}': {
    summary: 'Gives one workload, by its name, its uuid or its id.',
    path: named,
    answer: document(WorkloadViewShape),
    errors: ['MESH_WORKLOAD_UNKNOWN'],
  },
  'GET /v1/workloads/{name}/follow': {
    summary: 'Streams how a workload is: now, and after each change.',
    path: named,
    answer: events({ workload: WorkloadViewShape }),
    errors: ['MESH_WORKLOAD_UNKNOWN'],
  },
  'PUT /v1/workloads': {
    summary: 'Keeps a workload without starting it, or changes one that is stopped.',
    query: dry,
    body: WorkloadShape,
    bodyMaxBytes: ORDER_MAX_BYTES,
    answer,
    errors: PLACE_ERRORS,
  },
  'POST /v1/workloads/{name}/start': {
    summary: 'Starts a workload on its node, or on one that is chosen now. The body may give its definition.',
    path: named,
    query: dry,
    body: Start,
    bodyMaxBytes: ORDER_MAX_BYTES,
    answer,
    errors: PLACE_ERRORS,
  },
  'POST /v1/workloads/{name}/restart': {
    summary: 'Ends a workload, if it runs, and starts it anew. The body may give its definition.',
    path: named,
    query: dry,
    body: Start,
    bodyMaxBytes: ORDER_MAX_BYTES,
    answer,
    errors: PLACE_ERRORS,
  },
  'POST /v1/workloads/{name}/stop': {
    summary: 'Has the guest power off, and ends it when it does not.',
    path: named,
    query: dry,
    answer,
    errors: CHANGE_ERRORS,
  },
  'POST /v1/workloads/{name}/pause': {
    summary: 'Holds the guest still, with its memory.',
    path: named,
    query: dry,
    answer,
    errors: CHANGE_ERRORS,
  },
  'POST /v1/workloads/{name}/resume': {
    summary: 'Lets a guest go on that was paused.',
    path: named,
    query: dry,
    answer,
    errors: CHANGE_ERRORS,
  },
  'POST /v1/workloads/{name}/move': {
    summary:
      'Begins to move a workload to another node; with `force`, starts it there at once, with new disks: its present node must be off.',
    path: named,
    query: dry,
    body: form.object({ node: form.string({ max: 64 }), force: form.otherwise(form.boolean(), false) }),
    answer,
    errors: PLACE_ERRORS,
  },
  'DELETE /v1/workloads/{name}': {
    summary: 'Forgets a workload, with its ports and disks; with `force=1`, also one that runs.',
    path: named,
    query: { ...dry, force: SwitchShape },
    answer,
    errors: CHANGE_ERRORS,
  },
} as const satisfies RouteTable;
