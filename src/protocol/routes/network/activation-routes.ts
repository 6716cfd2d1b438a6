/** Routes of host0's control socket: definitions of networks, activation, and what becomes of networks. */
import type { ErrorCode } from '../../../model/error.ts';
import { CatalogueChangeShape, LifecycleNewsShape } from '../../shapes/catalogue-shapes.ts';
import * as form from '../../shapes/form.ts';
import type { RouteTable } from '../route.ts';
import { document, events, nameShape, SwitchShape, switchShape } from '../route.ts';

/** As for `POST /v1/catalogue`. */
const Order = form.recordOf(form.string({ max: 100 }), form.unknown(), 1_000);
const ORDER_MAX_BYTES = 1024 * 1024;

const named = { name: nameShape(100) };
const dry = { 'dry-run': SwitchShape };
/** `libvirt` has host0 fill in what libvirt does: a bridge named by a template, its Ethernet address, a UUID. */
const made = { ...dry, source: form.defaulted(form.oneOf(['store', 'libvirt']), 'store') };
const answer = document(CatalogueChangeShape);
const ORDER_ERRORS: readonly ErrorCode[] = [
  'MESH_NET_INVALID',
  'MESH_NET_SOURCE',
  'MESH_NET_NAME_TWICE',
  'MESH_NET_NUMBER_TWICE',
  'MESH_NET_DEVICE_TWICE',
  'MESH_NET_UUID_TWICE',
  'MESH_STORE_CONFLICT',
];
const NAMED_ERRORS: readonly ErrorCode[] = ['MESH_NET_UNKNOWN', 'MESH_NET_SOURCE', 'MESH_NET_TRANSIENT'];

/** The table. */
export const ACTIVATION_ROUTES = {
  'PUT /v1/definitions': {
    summary: 'Makes a stopped network, or defines one anew; one that is active stays as it is until it is stopped.',
    query: made,
    body: Order,
    bodyMaxBytes: ORDER_MAX_BYTES,
    answer,
    errors: ORDER_ERRORS,
  },
  'DELETE /v1/definitions/{name}': {
    summary: 'Gives a definition up: an active network becomes transient, a stopped one is deleted.',
    path: named,
    query: dry,
    answer,
    errors: [...NAMED_ERRORS, 'MESH_NET_IN_USE'],
  },
  'POST /v1/transient-networks': {
    summary: 'Makes a network that runs, and that goes when it is stopped.',
    query: made,
    body: Order,
    bodyMaxBytes: ORDER_MAX_BYTES,
    answer,
    errors: [...ORDER_ERRORS, 'MESH_NET_ACTIVE'],
  },
  'POST /v1/catalogue/{name}/autostart': {
    summary: 'Says whether a boot of host0’s machine starts a network (`on=1`), or leaves it stopped (`on=0`).',
    path: named,
    query: { ...dry, on: switchShape(true) },
    answer,
    errors: NAMED_ERRORS,
  },
  'PATCH /v1/catalogue/{name}/forms': {
    summary:
      'Changes the given parts of a network where it runs (`live=1`), in its definition (`config=1`), or in both.',
    path: named,
    query: { ...dry, live: SwitchShape, config: SwitchShape },
    body: Order,
    bodyMaxBytes: ORDER_MAX_BYTES,
    answer,
    errors: [...NAMED_ERRORS, 'MESH_NET_INVALID', 'MESH_NET_INACTIVE'],
  },
  'GET /v1/lifecycle': {
    summary: 'Streams what becomes of networks from now on, whichever command, document or file does it.',
    answer: events({ lifecycle: LifecycleNewsShape }),
  },
} as const satisfies RouteTable;
