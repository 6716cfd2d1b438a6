/** Routes of both control sockets: how the process is. */
import { errorCodeOf } from '../../model/error.ts';
import type { Liveness, Readiness, ReadinessPart } from '../documents/readiness.ts';
import * as form from '../shapes/form.ts';
import { TextShape } from '../shapes/parts.ts';
import { MeshEventShape } from '../shapes/view-shapes.ts';
import { events, type RouteTable, switchShape } from './route.ts';

/** The form of `Liveness`. */
export const LivenessShape: form.Shape<Liveness> = form.looseObject({
  live: form.boolean(),
  process: form.oneOf(['host0', 'agent']),
  node: form.string(),
  version: form.string(),
  upSec: form.number(),
  reason: form.exactOptional(TextShape),
});

const Part: form.Shape<ReadinessPart> = form.looseObject({
  part: form.string(),
  state: form.oneOf(['ready', 'pending', 'failed']),
  reason: form.exactOptional(TextShape),
  code: form.exactOptional(form.mapped(form.string(), errorCodeOf)),
});
/** The form of `Readiness`. */
export const ReadinessShape: form.Shape<Readiness> = form.looseObject({
  ready: form.boolean(),
  parts: form.listOf(Part, 1_000_000),
});

/** The table. */
export const PROCESS_ROUTES = {
  'GET /health': {
    summary: 'Says whether the process works, for service managers: 503 when it should be restarted.',
    answer: {
      kind: 'document',
      form: LivenessShape,
      statusOf: ({ live }: Liveness) => (live ? 200 : 503),
      statuses: [503],
    },
  },
  'GET /ready': {
    summary: 'Says whether the process is ready, part by part, for load balancers: 503 when it is not.',
    answer: {
      kind: 'document',
      form: ReadinessShape,
      statusOf: ({ ready }: Readiness) => (ready ? 200 : 503),
      statuses: [503],
    },
  },
  'GET /metrics': {
    summary: 'Gives the metrics, as text for Prometheus; as JSON when `accept` asks for it.',
    answer: { kind: 'text', mediaTypes: ['text/plain', 'application/openmetrics-text', 'application/json'] },
  },
  'GET /v1/openapi.json': {
    summary: 'Gives this table of routes as an OpenAPI document.',
    answer: { kind: 'document', form: form.looseObject({ openapi: form.string(), paths: form.unknown() }) },
  },
  'GET /v1/events': {
    summary:
      'Streams the events of the journal: the present conditions first, then each event; resumed by `Last-Event-ID`.',
    query: { follow: switchShape(true) },
    answer: events({ event: MeshEventShape }),
  },
} as const satisfies RouteTable;
