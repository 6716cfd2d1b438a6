/** Routes of host0's control socket: the roles of nodes. */
import { NETWORK_NAME } from '../../model/network/words.ts';
import * as form from '../shapes/form.ts';
import { ENTRIES_MAX, NodeRolesShape } from '../shapes/view-shapes.ts';
import { document, list, nameShape, type RouteTable } from './route.ts';

const path = { node: nameShape(64), role: form.string({ pattern: NETWORK_NAME }) };

/** The table. */
export const ROLE_ROUTES = {
  'GET /v1/roles': {
    summary: 'Lists the nodes that have roles.',
    answer: list(NodeRolesShape, ENTRIES_MAX),
  },
  'PUT /v1/roles/{node}/{role}': {
    summary: 'Gives a node a role: the networks that span the role are on the node.',
    path,
    answer: document(NodeRolesShape),
    errors: ['MESH_NODE_UNKNOWN', 'MESH_USAGE', 'MESH_STORE_BROKEN'],
  },
  'DELETE /v1/roles/{node}/{role}': {
    summary: 'Takes a role from a node.',
    path,
    answer: document(NodeRolesShape),
    errors: ['MESH_NODE_UNKNOWN', 'MESH_OBJECT_UNKNOWN', 'MESH_STORE_BROKEN'],
  },
} as const satisfies RouteTable;
