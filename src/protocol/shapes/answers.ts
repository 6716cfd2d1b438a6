/**
 * The form of each answer of the two control sockets, by route. The client of a socket reads every answer by this table
 * before its first use.
 */

import type { Mac } from '../../model/address/mac.ts';
import type { ErrorDocument } from '../../model/error.ts';
import type { BootView, ScanView } from '../documents/boot-views.ts';
import type { CatalogueChange, CatalogueView } from '../documents/catalogue.ts';
import type { GivenKey } from '../documents/given-key.ts';
import type { MachineView } from '../documents/machine-view.ts';
import type { NodeOrphan } from '../documents/node-assignment.ts';
import type { PlacedPortView } from '../documents/placed-port.ts';
import type { TimelineView } from '../documents/timeline-view.ts';
import type { TraceView } from '../documents/trace.ts';
import type {
  AgentStatus,
  DoctorView,
  DriftView,
  ExplainView,
  GivenNetworkView,
  Host0Status,
  NetworkView,
  NodeView,
  PingResult,
  PlanView,
  PortView,
} from '../documents/views.ts';
import type { MeshEvent } from '../journal/event.ts';
import { BootViewShape, ScanShape } from './boot-view-shapes.ts';
import { CatalogueChangeShape, CatalogueViewShape } from './catalogue-shapes.ts';
import { type DocumentReading, readDocument } from './document.ts';
import * as form from './form.ts';
import { GivenKeyShape } from './key-file.ts';
import { NodeOrphanShape } from './node-assignment-shape.ts';
import { ErrorShape, MacShape, NETWORKS_MAX } from './parts.ts';
import { TimelineShape } from './timeline-shape.ts';
import {
  AgentStatusShape,
  DoctorShape,
  DriftShape,
  ENTRIES_MAX,
  ExplainShape,
  GivenNetworkShape,
  Host0StatusShape,
  MachineViewShape,
  MeshEventShape,
  NetworkViewShape,
  NodeViewShape,
  PingShape,
  PlacedPortShape,
  PlanShape,
  PortShape,
  TraceShape,
} from './view-shapes.ts';

/**
 * The document that each route of each process answers with; in a stream, the data of each event. A route ends before its
 * query; `*` is a name.
 */
export interface RouteAnswers {
  readonly host0: {
    readonly 'GET /v1/status': Host0Status;
    readonly 'GET /v1/nodes': readonly NodeView[];
    readonly 'GET /v1/networks': readonly NetworkView[];
    readonly 'GET /v1/catalogue': readonly CatalogueView[];
    readonly 'GET /v1/catalogue/*': CatalogueView;
    readonly 'POST /v1/catalogue': CatalogueChange;
    readonly 'PUT /v1/catalogue': CatalogueChange;
    readonly 'PATCH /v1/catalogue/*': CatalogueChange;
    readonly 'POST /v1/catalogue/*/start': CatalogueChange;
    readonly 'POST /v1/catalogue/*/stop': CatalogueChange;
    readonly 'DELETE /v1/catalogue/*': CatalogueChange;
    readonly 'GET /v1/machines': readonly MachineView[];
    readonly 'PUT /v1/machines/*/cards/*': readonly Mac[];
    readonly 'POST /v1/machines/*/key': GivenKey;
    readonly 'DELETE /v1/machines/*/key': unknown;
    readonly 'GET /v1/orphans': readonly NodeOrphan[];
    readonly 'POST /v1/orphans/adopt': unknown;
    readonly 'POST /v1/orphans/release': unknown;
    readonly 'GET /v1/ports': readonly PlacedPortView[];
    readonly 'POST /v1/ports': PlacedPortView;
    readonly 'POST /v1/ports/*/move': PlacedPortView;
    readonly 'DELETE /v1/ports/*': PlacedPortView;
    readonly 'GET /v1/boot': BootView;
    readonly 'POST /v1/scan': ScanView;
    readonly 'POST /v1/boot/stop': unknown;
    readonly 'GET /v1/boots': readonly TimelineView[];
    readonly 'GET /v1/boots/events': TimelineView;
    readonly 'GET /v1/events': MeshEvent;
  };
  readonly agent: {
    readonly 'GET /v1/status': AgentStatus;
    readonly 'GET /v1/networks': readonly NetworkView[];
    readonly 'GET /v1/given': readonly GivenNetworkView[];
    readonly 'GET /v1/plan': PlanView;
    readonly 'GET /v1/drift': DriftView;
    readonly 'GET /v1/explain': ExplainView;
    readonly 'GET /v1/doctor': DoctorView;
    readonly 'POST /v1/doctor/fix': DoctorView;
    readonly 'GET /v1/ports': readonly PortView[];
    readonly 'PUT /v1/ports/*': PortView;
    readonly 'DELETE /v1/ports/*': unknown;
    readonly 'POST /v1/ping': PingResult;
    readonly 'POST /v1/trace': TraceView;
    readonly 'GET /v1/events': MeshEvent;
  };
}

/** The routes of a process; those of both, where it may be either. */
export type RouteOf<D extends keyof RouteAnswers> = keyof RouteAnswers[D];

type ShapesOf<D extends keyof RouteAnswers> = { readonly [R in RouteOf<D>]: form.Shape<RouteAnswers[D][R]> };

const SHAPES: { readonly [D in keyof RouteAnswers]: ShapesOf<D> } = {
  host0: {
    'GET /v1/status': Host0StatusShape,
    'GET /v1/nodes': form.listOf(NodeViewShape, ENTRIES_MAX),
    'GET /v1/networks': form.listOf(NetworkViewShape, NETWORKS_MAX),
    'GET /v1/catalogue': form.listOf(CatalogueViewShape, NETWORKS_MAX),
    'GET /v1/catalogue/*': CatalogueViewShape,
    'POST /v1/catalogue': CatalogueChangeShape,
    'PUT /v1/catalogue': CatalogueChangeShape,
    'PATCH /v1/catalogue/*': CatalogueChangeShape,
    'POST /v1/catalogue/*/start': CatalogueChangeShape,
    'POST /v1/catalogue/*/stop': CatalogueChangeShape,
    'DELETE /v1/catalogue/*': CatalogueChangeShape,
    'GET /v1/machines': form.listOf(MachineViewShape, ENTRIES_MAX),
    'PUT /v1/machines/*/cards/*': form.listOf(MacShape, 256),
    'POST /v1/machines/*/key': GivenKeyShape,
    'DELETE /v1/machines/*/key': form.unknown(),
    'GET /v1/orphans': form.listOf(NodeOrphanShape, ENTRIES_MAX),
    'POST /v1/orphans/adopt': form.unknown(),
    'POST /v1/orphans/release': form.unknown(),
    'GET /v1/ports': form.listOf(PlacedPortShape, ENTRIES_MAX),
    'POST /v1/ports': PlacedPortShape,
    'POST /v1/ports/*/move': PlacedPortShape,
    'DELETE /v1/ports/*': PlacedPortShape,
    'GET /v1/boot': BootViewShape,
    'POST /v1/scan': ScanShape,
    'POST /v1/boot/stop': form.unknown(),
    'GET /v1/boots': form.listOf(TimelineShape, ENTRIES_MAX),
    'GET /v1/boots/events': TimelineShape,
    'GET /v1/events': MeshEventShape,
  },
  agent: {
    'GET /v1/status': AgentStatusShape,
    'GET /v1/networks': form.listOf(NetworkViewShape, NETWORKS_MAX),
    'GET /v1/given': form.listOf(GivenNetworkShape, NETWORKS_MAX),
    'GET /v1/plan': PlanShape,
    'GET /v1/drift': DriftShape,
    'GET /v1/explain': ExplainShape,
    'GET /v1/doctor': DoctorShape,
    'POST /v1/doctor/fix': DoctorShape,
    'GET /v1/ports': form.listOf(PortShape, ENTRIES_MAX),
    'PUT /v1/ports/*': PortShape,
    'DELETE /v1/ports/*': form.unknown(),
    'POST /v1/ping': PingShape,
    'POST /v1/trace': TraceShape,
    'GET /v1/events': MeshEventShape,
  },
};

/** Reads an answer. An empty text is an answer without a document. */
export function readRouteAnswer<D extends keyof RouteAnswers, R extends RouteOf<D>>(
  daemon: D,
  route: R,
  text: string,
): DocumentReading<RouteAnswers[D][R]> {
  const shapes: ShapesOf<D> = SHAPES[daemon];
  return readDocument(shapes[route], text === '' ? 'null' : text);
}

/** Reads the answer to a request that failed. */
export function readRefusal(text: string): DocumentReading<ErrorDocument> {
  return readDocument(ErrorShape, text);
}
