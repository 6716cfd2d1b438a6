/** Routes of host0's control socket: nodes, and what they answer on their channels. */
import * as form from '../shapes/form.ts';
import { MachineWordShape, NodeOrphanShape, OrphanNameShape } from '../shapes/node-assignment-shape.ts';
import { PathDocumentShape } from '../shapes/path-view-shape.ts';
import { ENTRIES_MAX, NodeViewShape } from '../shapes/view-shapes.ts';
import { CaptureQueryFields, NetworkQuery, PathQueryFields } from './questions.ts';
import { document, list, NOTHING, nameShape, PCAPNG, type RouteTable } from './route.ts';

const address = nameShape(64);
const Orphan = form.object({ machine: MachineWordShape, ...OrphanNameShape.fields });

/** The table. */
export const NODE_ROUTES = {
  'GET /v1/nodes': {
    summary: 'Lists the nodes, with their meshes and channels.',
    answer: list(NodeViewShape, ENTRIES_MAX),
  },
  'GET /v1/nodes/{address}/path': {
    summary: 'Asks the node with this mesh address for its part of a path, on its channel.',
    path: { address },
    query: { ...NetworkQuery, ...PathQueryFields },
    answer: document(PathDocumentShape),
    errors: ['MESH_CHANNEL_DOWN', 'MESH_NODE_OFFLINE', 'MESH_NET_UNKNOWN', 'MESH_BUSY'],
  },
  'GET /v1/nodes/{address}/capture': {
    summary: 'Captures on the node with this mesh address, by its channel.',
    path: { address },
    query: { ...NetworkQuery, ...CaptureQueryFields },
    answer: PCAPNG,
    errors: ['MESH_CHANNEL_DOWN', 'MESH_NODE_OFFLINE', 'MESH_NET_UNKNOWN', 'MESH_KERNEL_REFUSED'],
  },
  'GET /v1/orphans': {
    summary: 'Lists the objects that nodes have under another epoch of the store.',
    answer: list(NodeOrphanShape, ENTRIES_MAX),
  },
  'POST /v1/orphans/adopt': {
    summary: 'Puts an orphan back into the store.',
    body: Orphan,
    answer: NOTHING,
    errors: ['MESH_OBJECT_UNKNOWN', 'MESH_NET_INVALID', 'MESH_STORE_CONFLICT'],
  },
  'POST /v1/orphans/release': {
    summary: 'Lets an orphan go: its node removes it.',
    body: Orphan,
    answer: NOTHING,
    errors: ['MESH_OBJECT_UNKNOWN', 'MESH_STORE_BROKEN'],
  },
} as const satisfies RouteTable;
