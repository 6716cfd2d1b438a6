/** Routes of host0's control socket: the services of networks, and the addresses that they give. */
import { Ipv4Shape, Ipv6Shape } from '../../model/address/address-shapes.ts';
import { NetworkServiceShape, SERVICE_KINDS } from '../../model/network/services/network-service.ts';
import type { AddressMapView } from '../documents/service/address-map-view.ts';
import * as form from '../shapes/form.ts';
import { NodeNameShape, TextShape } from '../shapes/parts.ts';
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

const MAPS_MAX = 100_000;

const AddressMapShape: form.Shape<AddressMapView> = form.object({
  vm: TextShape,
  network: TextShape,
  ipv4: Ipv4Shape,
  ipv6: Ipv6Shape,
});

/** The table of the IPv4 addresses that NAT64 gives to virtual machines. */
export const ADDRESS_ROUTES = {
  'GET /v1/addresses': {
    summary: 'Lists the IPv4 addresses that virtual machines have outside.',
    answer: list(AddressMapShape, MAPS_MAX),
  },
  'POST /v1/addresses': {
    summary: 'Gives a virtual machine an IPv4 address outside, the wanted one or the next free one.',
    body: form.object({ vm: NodeNameShape, ipv4: form.exactOptional(Ipv4Shape) }),
    answer: document(AddressMapShape),
    errors: ['MESH_WORKLOAD_UNKNOWN', 'MESH_ADDRESS_UNMAPPABLE', 'MESH_ADDRESS_MAPPED', 'MESH_STORE_CONFLICT'],
  },
  'DELETE /v1/addresses/{name}': {
    summary: 'Takes the IPv4 address of a virtual machine back.',
    path: { name: nameShape(64) },
    answer: document(AddressMapShape),
    errors: ['MESH_OBJECT_UNKNOWN', 'MESH_STORE_CONFLICT'],
  },
} as const satisfies RouteTable;
