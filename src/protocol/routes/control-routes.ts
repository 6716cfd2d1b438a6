/** The routes of host0's control socket. */
import { AssignedMemberShape, AssignedUnderlayShape, HostAssignmentShape } from '../shapes/assignment-shape.ts';
import * as form from '../shapes/form.ts';
import { NETWORKS_MAX, NetworkIdShape } from '../shapes/parts.ts';
import { NetworkStateShape } from '../shapes/state-shape.ts';
import { Host0StatusShape, NetworkViewShape } from '../shapes/view-shapes.ts';
import { BOOT_ROUTES } from './boot-routes.ts';
import { CATALOGUE_ROUTES } from './catalogue-routes.ts';
import { IPAM_ROUTES } from './ipam/ipam-routes.ts';
import { LEADERSHIP_ROUTES } from './leadership-routes.ts';
import { MACHINE_ROUTES } from './machine-routes.ts';
import { ACTIVATION_ROUTES } from './network/activation-routes.ts';
import { ADDRESS_ROUTES } from './network/address-routes.ts';
import { LEASE_ROUTES } from './network/lease-routes.ts';
import { SERVICE_ROUTES } from './network/service-routes.ts';
import { XML_PART_ROUTES } from './network/xml-part-routes.ts';
import { NODE_LOG_ROUTES } from './node-log-routes.ts';
import { NODE_ROUTES } from './node-routes.ts';
import { ORDER_ROUTES } from './order/order-routes.ts';
import { PORT_ROUTES } from './port-routes.ts';
import { PROCESS_ROUTES } from './process-routes.ts';
import { ROLE_ROUTES } from './role-routes.ts';
import { document, events, list, NOTHING, type RouteTable } from './route.ts';
import { STORE_ROUTES } from './store-routes.ts';
import { CONSOLE_ROUTES } from './workload/console-routes.ts';
import { IMAGE_ROUTES } from './workload/disk-image-routes.ts';
import { SCREEN_ROUTES } from './workload/screen-routes.ts';
import { WORKLOAD_ROUTES } from './workload/workload-routes.ts';

/** The states of all networks of one machine. */
const SELF_MAX_BYTES = 1024 * 1024;

/** The table. */
export const CONTROL_ROUTES = {
  ...PROCESS_ROUTES,
  'GET /v1/status': {
    summary: 'Gives the state of host0’s daemon.',
    answer: document(Host0StatusShape),
  },
  'GET /v1/networks': {
    summary: 'Lists the meshes of the network files, with their members.',
    answer: list(NetworkViewShape, NETWORKS_MAX),
  },
  ...LEADERSHIP_ROUTES,
  ...STORE_ROUTES,
  ...CATALOGUE_ROUTES,
  ...IPAM_ROUTES,
  ...SERVICE_ROUTES,
  ...LEASE_ROUTES,
  ...ACTIVATION_ROUTES,
  ...XML_PART_ROUTES,
  ...ADDRESS_ROUTES,
  ...NODE_ROUTES,
  ...NODE_LOG_ROUTES,
  ...PORT_ROUTES,
  ...WORKLOAD_ROUTES,
  ...ORDER_ROUTES,
  ...ROLE_ROUTES,
  ...MACHINE_ROUTES,
  ...CONSOLE_ROUTES,
  ...SCREEN_ROUTES,
  ...IMAGE_ROUTES,
  ...BOOT_ROUTES,
  'GET /v1/assignment': {
    summary: 'Streams what host0’s own agent sets up, to that agent.',
    query: { underlay: form.exactOptional(form.literal('apart')) },
    answer: events<unknown>({
      snapshot: HostAssignmentShape,
      member: AssignedMemberShape,
      underlay: AssignedUnderlayShape,
    }),
  },
  'PUT /v1/self': {
    summary: 'Takes the states of the networks of host0’s own agent.',
    body: form.object({ networks: form.recordOf(NetworkIdShape, NetworkStateShape, NETWORKS_MAX) }),
    bodyMaxBytes: SELF_MAX_BYTES,
    answer: NOTHING,
  },
} as const satisfies RouteTable;
