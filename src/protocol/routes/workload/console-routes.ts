/**
 * Routes of consoles: of a node's channel, and of host0's control socket, which asks the nodes. Output is a stream that many may have
 * at once; input goes in requests of its own, so that any transport carries both.
 */
import { CONSOLE_INPUT_MAX_BYTES, CONSOLE_TAIL_BYTES } from '../../documents/workload/console.ts';
import { CONSOLES_MAX, ConsoleViewShape, NodeConsoleShape } from '../../shapes/disk-image-shape.ts';
import * as form from '../../shapes/form.ts';
import { type BytesAnswer, document, list, nameShape, numberInQuery, type RouteTable, switchShape } from '../route.ts';

const OUTPUT: BytesAnswer = { kind: 'bytes', mediaType: 'application/octet-stream' };
const workload = nameShape(64);
const node = nameShape(64);
const watching = {
  tail: form.defaulted(numberInQuery(0, CONSOLE_TAIL_BYTES), 0),
  follow: switchShape(true),
  writes: switchShape(false),
  who: form.defaulted(form.string({ max: 64 }), ''),
};
/** Bytes as Base64: input need not be text. */
export const ConsoleInputShape = form.object({
  base64: form.string({ max: Math.ceil(CONSOLE_INPUT_MAX_BYTES / 3) * 4, pattern: /^[A-Za-z0-9+/]*={0,2}$/ }),
});

/** Of a node's channel. */
export const NODE_CONSOLE_ROUTES = {
  'GET /consoles': {
    summary: 'Lists the consoles of the node’s virtual machines, and who looks at them.',
    answer: list(ConsoleViewShape, CONSOLES_MAX),
  },
  'GET /console': {
    summary: 'Streams the output of a console: what is kept of it, and what comes.',
    query: { workload, ...watching },
    answer: OUTPUT,
    errors: ['MESH_CONSOLE_NONE', 'MESH_BUSY'],
  },
  'PUT /console': {
    summary: 'Types into a console.',
    query: { workload },
    body: ConsoleInputShape,
    answer: document(form.object({})),
    errors: ['MESH_CONSOLE_NONE', 'MESH_CONSOLE_CLOSED'],
  },
} as const satisfies RouteTable;

const FOUND = ['MESH_NODE_UNKNOWN', 'MESH_CHANNEL_DOWN', 'MESH_NODE_OFFLINE', 'MESH_CONSOLE_NONE'] as const;

/** Of host0's control socket. */
export const CONSOLE_ROUTES = {
  'GET /v1/consoles': {
    summary: 'Lists the consoles of the virtual machines of all nodes, and who looks at them.',
    query: { node: form.exactOptional(node) },
    answer: list(NodeConsoleShape, CONSOLES_MAX),
    errors: ['MESH_NODE_UNKNOWN'],
  },
  'GET /v1/consoles/{node}/{workload}': {
    summary: 'Streams the output of a console, by the channel of its node.',
    path: { node, workload },
    query: watching,
    answer: OUTPUT,
    errors: [...FOUND, 'MESH_BUSY'],
  },
  'PUT /v1/consoles/{node}/{workload}': {
    summary: 'Types into a console, by the channel of its node.',
    path: { node, workload },
    body: ConsoleInputShape,
    answer: document(form.object({})),
    errors: [...FOUND, 'MESH_CONSOLE_CLOSED'],
  },
} as const satisfies RouteTable;
