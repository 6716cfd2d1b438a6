/** Routes of host0's control socket: the services of networks. */
import { NetworkServiceShape, SERVICE_KINDS } from '../../model/network/services/network-service.ts';
import * as form from '../shapes/form.ts';
import { ServiceViewShape } from '../shapes/service/service-view-shape.ts';
import { document, events, list, nameShape, type RouteTable } from './route.ts';

const named = { name: nameShape(100) };
const KindShape = form.oneOf(SERVICE_KINDS);

/** The table. */
export const SERVICE_ROUTES = {
  'GET /v1/catalogue/{name}/services': {
    summary: 'Lists the services of a network, each with the nodes that serve and how they are.',
    path: named,
    answer: list(ServiceViewShape, SERVICE_KINDS.length),
    errors: ['MESH_NET_UNKNOWN'],
  },
  'GET /v1/catalogue/{name}/services/follow': {
    summary: 'Streams the services of a network: now, and after each change.',
    path: named,
    answer: events({ services: form.listOf(ServiceViewShape, SERVICE_KINDS.length) }),
    errors: ['MESH_NET_UNKNOWN'],
  },
  'PUT /v1/catalogue/{name}/services': {
    summary: 'Gives a network a service, or changes the one of that kind.',
    path: named,
    body: NetworkServiceShape,
    answer: document(ServiceViewShape),
    errors: ['MESH_NET_UNKNOWN', 'MESH_NET_SOURCE', 'MESH_NET_NOT_SUPPORTED', 'MESH_STORE_CONFLICT'],
  },
  'DELETE /v1/catalogue/{name}/services/{kind}': {
    summary: 'Takes a service from a network. Its nodes say goodbye to the guests first.',
    path: { ...named, kind: KindShape },
    answer: document(ServiceViewShape),
    errors: ['MESH_NET_UNKNOWN', 'MESH_OBJECT_UNKNOWN', 'MESH_STORE_CONFLICT'],
  },
} as const satisfies RouteTable;
