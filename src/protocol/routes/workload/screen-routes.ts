/**
 * Routes of screens: of a node's channel, and of host0's control socket, which asks the nodes. What a screen shows is a stream, one for
 * each viewer; what the viewer sends goes in requests of its own, so that any transport carries both. Both are bytes of RFB (RFC 6143).
 */
import * as form from '../../shapes/form.ts';
import { type BytesAnswer, document, nameShape, type RouteTable } from '../route.ts';
import { ConsoleInputShape } from './console-routes.ts';

const OUTPUT: BytesAnswer = { kind: 'bytes', mediaType: 'application/octet-stream' };
const workload = nameShape(64);
const node = nameShape(64);
/** A word that the viewer has drawn, which its requests have in common. */
const viewer = form.string({ max: 16, pattern: /^[0-9a-f]{16}$/ });

/** Of a node's channel. */
export const NODE_SCREEN_ROUTES = {
  'GET /screen': {
    summary: 'Connects a viewer to a screen, and streams what the screen sends to that viewer.',
    query: { workload, viewer },
    answer: OUTPUT,
    errors: ['MESH_CONSOLE_NONE', 'MESH_CONSOLE_CLOSED', 'MESH_BUSY'],
  },
  'PUT /screen': {
    summary: 'Sends what a viewer says to the screen that the viewer is connected to.',
    query: { workload, viewer },
    body: ConsoleInputShape,
    answer: document(form.object({})),
    errors: ['MESH_CONSOLE_NONE', 'MESH_CONSOLE_CLOSED'],
  },
} as const satisfies RouteTable;

const FOUND = ['MESH_NODE_UNKNOWN', 'MESH_CHANNEL_DOWN', 'MESH_NODE_OFFLINE', 'MESH_CONSOLE_NONE'] as const;

/** Of host0's control socket. */
export const SCREEN_ROUTES = {
  'GET /v1/screens/{node}/{workload}': {
    summary:
      'Connects a viewer to a screen, and streams what the screen sends to that viewer, by the channel of its node.',
    path: { node, workload },
    query: { viewer },
    answer: OUTPUT,
    errors: [...FOUND, 'MESH_CONSOLE_CLOSED', 'MESH_BUSY'],
  },
  'PUT /v1/screens/{node}/{workload}': {
    summary: 'Sends what a viewer says to the screen that the viewer is connected to, by the channel of its node.',
    path: { node, workload },
    query: { viewer },
    body: ConsoleInputShape,
    answer: document(form.object({})),
    errors: [...FOUND, 'MESH_CONSOLE_CLOSED'],
  },
} as const satisfies RouteTable;
