/** Routes of leases: of a node's channel, and of host0's control socket, which asks the nodes that serve. */
import * as form from '../../shapes/form.ts';
import { GuestLeasesShape, NetworkLeasesShape } from '../../shapes/service/guest-lease-shape.ts';
import { document, nameShape, type RouteTable } from '../route.ts';

/** Of a node's channel. */
export const OWN_LEASE_ROUTES = {
  'GET /leases': {
    summary: 'Lists the addresses that the node has given to guests of a network.',
    query: { network: form.string({ max: 64 }) },
    answer: document(GuestLeasesShape),
  },
} as const satisfies RouteTable;

/** Of host0's control socket. */
export const LEASE_ROUTES = {
  'GET /v1/catalogue/{name}/leases': {
    summary: 'Lists the addresses that DHCP has given to guests of a network, by the nodes that serve.',
    path: { name: nameShape(100) },
    answer: document(NetworkLeasesShape),
    errors: ['MESH_NET_UNKNOWN'],
  },
} as const satisfies RouteTable;
