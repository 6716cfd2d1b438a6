/** Routes of the journals of nodes: of a node's channel, and of host0's control socket, which asks the node. */
import { MeshEventShape } from '../shapes/view-shapes.ts';
import { events, nameShape, type RouteTable, switchShape } from './route.ts';

const query = { follow: switchShape(true) };

/** Of a node's channel. */
export const OWN_LOG_ROUTES = {
  'GET /events': {
    summary: 'Streams the events of the agent’s journal, as `GET /v1/events` of its socket does.',
    query,
    answer: events({ event: MeshEventShape }),
  },
} as const satisfies RouteTable;

/** Of host0's control socket. */
export const NODE_LOG_ROUTES = {
  'GET /v1/nodes/{node}/events': {
    summary: 'Streams the events of the journal of a node’s agent, by its channel; resumed by `Last-Event-ID`.',
    path: { node: nameShape(64) },
    query,
    answer: events({ event: MeshEventShape }),
    errors: ['MESH_NODE_UNKNOWN', 'MESH_CHANNEL_DOWN', 'MESH_NODE_OFFLINE'],
  },
} as const satisfies RouteTable;
