/** The node's side of assignments, for a node that has `.conf` files and takes nothing else. */

import { MeshError } from '../../model/error.ts';
import { Signal } from '../../model/signal.ts';
import { NODE_ASSIGNMENT_FORMAT } from '../../protocol/documents/node-assignment.ts';
import type { AssignmentTaker } from './node-routes.ts';

/** Has nothing, and refuses everything. */
export const nothingAssigned: AssignmentTaker = {
  status: () => ({ format: NODE_ASSIGNMENT_FORMAT, kept: false, digests: {}, objects: [], ports: [], orphans: [] }),
  changes: new Signal<void>(),
  take: async () => ({
    accepted: false,
    error: new MeshError('MESH_NOT_SUPPORTED', 'this node takes its networks from its files only').toJSON(),
  }),
};
