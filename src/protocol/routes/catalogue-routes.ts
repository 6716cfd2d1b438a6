/** Routes of host0's control socket: the catalogue of networks. */
import type { ErrorCode } from '../../model/error.ts';
import { CatalogueChangeShape, CatalogueViewShape, RefusedDocumentShape } from '../shapes/catalogue-shapes.ts';
import * as form from '../shapes/form.ts';
import { NETWORKS_MAX } from '../shapes/parts.ts';
import { document, list, nameShape, type RouteTable, SwitchShape } from './route.ts';

/** The catalogue judges the document itself, and says which part of it does not fit. */
const Order = form.recordOf(form.string({ max: 100 }), form.unknown(), 1_000);
/** Subnets, hosts and rules of one network. */
const ORDER_MAX_BYTES = 1024 * 1024;

const named = { name: nameShape(100) };
const dry = { 'dry-run': SwitchShape };
const answer = document(CatalogueChangeShape);
const CHANGE_ERRORS: readonly ErrorCode[] = ['MESH_NET_INVALID', 'MESH_NET_SOURCE', 'MESH_STORE_CONFLICT'];
const KNOWN_ERRORS: readonly ErrorCode[] = ['MESH_NET_UNKNOWN', ...CHANGE_ERRORS];
const NEW_ERRORS: readonly ErrorCode[] = [
  ...CHANGE_ERRORS,
  'MESH_NET_NAME_TWICE',
  'MESH_NET_NUMBER_TWICE',
  'MESH_NET_DEVICE_TWICE',
  'MESH_NET_NUMBERS_EXHAUSTED',
  'MESH_NET_PREFIXES_EXHAUSTED',
  'MESH_IPAM_POOL_UNKNOWN',
  'MESH_IPAM_POOL_EXHAUSTED',
  'MESH_IPAM_LENGTH',
  'MESH_IPAM_TAKEN',
  'MESH_IPAM_ALLOCATOR_FAILED',
  'MESH_IPAM_ALLOCATOR_WRONG',
];

/** The table. */
export const CATALOGUE_ROUTES = {
  'GET /v1/catalogue': {
    summary: 'Lists the networks of the catalogue, each with its definition and whether it is active.',
    answer: list(CatalogueViewShape, NETWORKS_MAX),
  },
  'GET /v1/refused-documents': {
    summary: 'Lists the documents of networks in the store that are not taken up, each with the reason.',
    answer: list(RefusedDocumentShape, NETWORKS_MAX),
  },
  'GET /v1/catalogue/{name}': {
    summary: 'Gives one network of the catalogue, by its name, number or identifier.',
    path: named,
    answer: document(CatalogueViewShape),
    errors: ['MESH_NET_UNKNOWN'],
  },
  'POST /v1/catalogue': {
    summary: 'Makes a network.',
    query: dry,
    body: Order,
    bodyMaxBytes: ORDER_MAX_BYTES,
    answer,
    errors: NEW_ERRORS,
  },
  'PUT /v1/catalogue': {
    summary: 'Makes a network, or changes the network of that name into the given one.',
    query: dry,
    body: Order,
    bodyMaxBytes: ORDER_MAX_BYTES,
    answer,
    errors: NEW_ERRORS,
  },
  'PATCH /v1/catalogue/{name}': {
    summary: 'Changes the given parts of a network.',
    path: named,
    query: dry,
    body: Order,
    bodyMaxBytes: ORDER_MAX_BYTES,
    answer,
    errors: KNOWN_ERRORS,
  },
  'POST /v1/catalogue/{name}/start': {
    summary: 'Starts a network: nodes may have it.',
    path: named,
    query: dry,
    answer,
    errors: KNOWN_ERRORS,
  },
  'POST /v1/catalogue/{name}/stop': {
    summary: 'Stops a network: no node has it, and its definition stays.',
    path: named,
    query: dry,
    answer,
    errors: KNOWN_ERRORS,
  },
  'DELETE /v1/catalogue/{name}': {
    summary: 'Deletes a network; with `force=1`, its ports are unplugged first.',
    path: named,
    query: { ...dry, force: SwitchShape },
    answer,
    errors: [...KNOWN_ERRORS, 'MESH_NET_IN_USE', 'MESH_NODE_OFFLINE'],
  },
} as const satisfies RouteTable;
