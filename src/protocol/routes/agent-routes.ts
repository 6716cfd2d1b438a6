/** The routes of the agent's control socket. */
import * as form from '../shapes/form.ts';
import { NETWORKS_MAX } from '../shapes/parts.ts';
import {
  AgentStatusShape,
  DoctorShape,
  DriftShape,
  ENTRIES_MAX,
  ExplainShape,
  GivenNetworkShape,
  NetworkViewShape,
  PingShape,
  PlanShape,
  PortShape,
  TraceShape,
} from '../shapes/view-shapes.ts';
import { PROCESS_ROUTES } from './process-routes.ts';
import { CaptureQueryFields, NetworkQuery } from './questions.ts';
import { document, list, NOTHING, nameShape, PCAPNG, type RouteTable } from './route.ts';

const Name = form.string({ max: 256 });
const port = { interface: nameShape(64) };

/** The table. */
export const AGENT_ROUTES = {
  ...PROCESS_ROUTES,
  'GET /v1/status': { summary: 'Gives the state of the agent.', answer: document(AgentStatusShape) },
  'GET /v1/networks': {
    summary: 'Lists the meshes of this machine, with their members.',
    answer: list(NetworkViewShape, NETWORKS_MAX),
  },
  'GET /v1/given': {
    summary: 'Lists the networks that host0 has given to this machine.',
    answer: list(GivenNetworkShape, NETWORKS_MAX),
  },
  'GET /v1/plan': {
    summary: 'Shows the steps that the agent would take now.',
    answer: document(PlanShape),
  },
  'GET /v1/drift': {
    summary: 'Compares what should be with the kernel itself.',
    answer: document(DriftShape),
  },
  'GET /v1/explain': {
    summary: 'Says why an object exists.',
    query: { object: Name },
    answer: document(ExplainShape),
    errors: ['MESH_OBJECT_UNKNOWN'],
  },
  'GET /v1/doctor': {
    summary: 'Looks for what harms a mesh on this machine and around it.',
    answer: document(DoctorShape),
  },
  'POST /v1/doctor/fix': {
    summary: 'Makes the safe fixes, and looks again.',
    answer: document(DoctorShape),
  },
  'GET /v1/ports': {
    summary: 'Lists the interfaces that are plugged into networks.',
    answer: list(PortShape, ENTRIES_MAX),
  },
  'PUT /v1/ports/{interface}': {
    summary: 'Plugs an interface into a network.',
    path: port,
    body: form.object({ network: Name }),
    answer: document(PortShape),
    errors: ['MESH_NET_UNKNOWN', 'MESH_PORT_UNKNOWN', 'MESH_PORT_UNFIT', 'MESH_PORT_TAKEN'],
  },
  'DELETE /v1/ports/{interface}': {
    summary: 'Unplugs an interface.',
    path: port,
    answer: NOTHING,
    errors: ['MESH_PORT_UNKNOWN'],
  },
  'POST /v1/ping': {
    summary: 'Pings a member of a mesh, and measures how large a packet the path takes.',
    body: form.object({
      network: Name,
      node: Name,
      count: form.exactOptional(form.number()),
      intervalMs: form.exactOptional(form.number()),
    }),
    answer: document(PingShape),
    errors: ['MESH_NET_UNKNOWN', 'MESH_NODE_UNKNOWN', 'MESH_KERNEL_REFUSED'],
  },
  'POST /v1/trace': {
    summary: 'Follows a path through a network, and asks each node on it for its part.',
    body: form.object({ network: Name, from: Name, to: Name }),
    answer: document(TraceShape),
    errors: ['MESH_NET_UNKNOWN', 'MESH_NODE_UNKNOWN', 'MESH_OBJECT_UNKNOWN', 'MESH_ADDRESS_INVALID'],
  },
  'GET /v1/capture': {
    summary:
      'Captures the packets of a network, inside and outside; on host0 on any node, elsewhere on the node itself.',
    query: { ...NetworkQuery, node: Name, ...CaptureQueryFields },
    answer: PCAPNG,
    errors: ['MESH_NET_UNKNOWN', 'MESH_NODE_UNKNOWN', 'MESH_MEMBER_NOT_ALLOWED', 'MESH_KERNEL_REFUSED'],
  },
} as const satisfies RouteTable;
