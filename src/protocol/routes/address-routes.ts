/** Routes of host0's control socket: IPv4 addresses of virtual machines. */
import { Ipv4Shape, Ipv6Shape } from '../../model/address/address-shapes.ts';
import type { AddressMapView } from '../documents/service/address-map-view.ts';
import * as form from '../shapes/form.ts';
import { NodeNameShape, TextShape } from '../shapes/parts.ts';
import { document, list, nameShape, type RouteTable } from './route.ts';

const MAPS_MAX = 100_000;

const AddressMapShape: form.Shape<AddressMapView> = form.object({
  vm: TextShape,
  network: TextShape,
  ipv4: Ipv4Shape,
  ipv6: Ipv6Shape,
});

/** The table. */
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
