/** The routes of a node's channel, by which host0 asks. On host0, its own agent answers them on `agent.sock`. */

import * as form from '../shapes/form.ts';
import { ClaimLineShape, KeptLineShape } from '../shapes/kept-membership-shape.ts';
import { AssignmentAnswerShape, NodeStatusShape } from '../shapes/node-assignment-shape.ts';
import { ErrorShape } from '../shapes/parts.ts';
import { PathDocumentShape } from '../shapes/path-view-shape.ts';
import { OWN_LEASE_ROUTES } from './network/lease-routes.ts';
import { OWN_LOG_ROUTES } from './node-log-routes.ts';
import { CaptureQueryFields, NetworkQuery, PathQueryFields } from './questions.ts';
import { document, lines, PCAPNG, type RouteTable } from './route.ts';
import { NODE_CONSOLE_ROUTES } from './workload/console-routes.ts';
import { NODE_IMAGE_ROUTES } from './workload/disk-image-routes.ts';
import { NODE_SCREEN_ROUTES } from './workload/screen-routes.ts';
import { NODE_VOLUME_ROUTES } from './workload/volume-routes.ts';

/** The assignment of a node with two hundred networks has 200 kB. */
const ASSIGNMENT_MAX_BYTES = 16 * 1024 * 1024;

/** The table. */
export const CHANNEL_ROUTES = {
  ...NODE_CONSOLE_ROUTES,
  ...NODE_IMAGE_ROUTES,
  ...OWN_LEASE_ROUTES,
  ...NODE_SCREEN_ROUTES,
  ...OWN_LOG_ROUTES,
  ...NODE_VOLUME_ROUTES,
  'GET /status': {
    summary:
      'Streams what the node says of itself: a line now and after each change. The first says which formats it reads.',
    answer: lines(NodeStatusShape),
  },
  'PUT /assignment': {
    summary: 'Gives the node what it should have; attachments that it has already are named by their digest.',
    // The node reads each object by itself: what a later version adds is refused alone.
    body: form.unknown(),
    bodyIsText: true,
    bodyMaxBytes: ASSIGNMENT_MAX_BYTES,
    answer: document(AssignmentAnswerShape),
    errors: ['MESH_HOST0_MALFORMED', 'MESH_NOT_SUPPORTED'],
  },
  'PUT /unplug': {
    summary: 'Takes all ports off a network that host0 deletes.',
    query: { network: form.string({ max: 64 }), name: form.string({ max: 256 }) },
    answer: document(form.object({})),
  },
  'PUT /memberships': {
    summary:
      'Keeps memberships by the channel, in place of reports in each mesh; both sides tell their changes line by line.',
    answer: { kind: 'conversation', form: ClaimLineShape, asked: KeptLineShape },
    errors: ['MESH_OBJECT_UNKNOWN'],
  },
  'PUT /refusal': {
    summary: 'Says why host0 ends this channel.',
    body: ErrorShape,
    answer: document(form.object({})),
  },
  'GET /path': {
    summary: 'Gives the node’s part of a path.',
    query: { ...NetworkQuery, ...PathQueryFields },
    answer: document(PathDocumentShape),
    errors: ['MESH_NET_UNKNOWN', 'MESH_ADDRESS_INVALID', 'MESH_BUSY'],
  },
  'GET /capture': {
    summary: 'Captures the packets of a network on the node.',
    query: { ...NetworkQuery, ...CaptureQueryFields },
    answer: PCAPNG,
    errors: ['MESH_NET_UNKNOWN', 'MESH_KERNEL_REFUSED'],
  },
} as const satisfies RouteTable;

/** The routes of an agent inside a mesh, which any member may ask. */
export const PEER_ROUTES = {
  'GET /path': {
    summary: 'Gives the node’s part of a path in this mesh.',
    query: PathQueryFields,
    answer: document(PathDocumentShape),
    errors: ['MESH_ADDRESS_INVALID', 'MESH_BUSY'],
  },
} as const satisfies RouteTable;

/** What agents of earlier versions also answered inside a mesh, to host0 alone. */
export const EARLIER_PEER_ROUTES = {
  'GET /capture': {
    summary: 'Captures the packets of this mesh on the node.',
    query: CaptureQueryFields,
    answer: PCAPNG,
    errors: ['MESH_NET_UNKNOWN', 'MESH_KERNEL_REFUSED'],
  },
} as const satisfies RouteTable;
