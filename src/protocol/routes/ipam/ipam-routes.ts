/** Routes of host0's control socket: address pools and allocations. */
import { AddressPoolShape } from '../../../model/ipam/address-pool.ts';
import * as form from '../../shapes/form.ts';
import { AddressPoolViewShape, AllocationOrderShape, AllocationViewShape } from '../../shapes/ipam/ipam-shapes.ts';
import { FindingsShape } from '../../shapes/parts.ts';
import { document, list, nameShape, type RouteTable, SwitchShape } from '../route.ts';

/** More pools than a site has. */
const POOLS_MAX = 4_096;
const ALLOCATIONS_MAX = 1_000_000;
/** A pool may reserve a thousand subnets. */
const POOL_MAX_BYTES = 128 * 1024;

/** The table. */
export const IPAM_ROUTES = {
  'GET /v1/ipam/pools': {
    summary: 'Lists the address pools, each with how much of it is taken.',
    answer: list(AddressPoolViewShape, POOLS_MAX),
  },
  'POST /v1/ipam/pools': {
    summary: 'Makes an address pool.',
    body: AddressPoolShape,
    bodyMaxBytes: POOL_MAX_BYTES,
    answer: document(AddressPoolViewShape),
    errors: ['MESH_ALREADY_MADE', 'MESH_IPAM_POOL_INVALID', 'MESH_IPAM_POOLS_OVERLAP', 'MESH_STORE_BROKEN'],
  },
  'DELETE /v1/ipam/pools/{name}': {
    summary: 'Deletes an address pool from which nothing is given; with `force=1`, what rests is forgotten.',
    path: { name: nameShape(100) },
    query: { force: SwitchShape },
    answer: document(AddressPoolShape),
    errors: ['MESH_IPAM_POOL_UNKNOWN', 'MESH_IPAM_POOL_IN_USE', 'MESH_STORE_BROKEN'],
  },
  'GET /v1/ipam/allocations': {
    summary: 'Lists what is allocated, and what rests after its release.',
    query: { pool: form.exactOptional(nameShape(100)) },
    answer: list(AllocationViewShape, ALLOCATIONS_MAX),
    errors: ['MESH_IPAM_POOL_UNKNOWN'],
  },
  'POST /v1/ipam/allocations': {
    summary: 'Allocates a block of an address pool; a network that is named gets the block as a subnet.',
    body: AllocationOrderShape,
    answer: document(AllocationViewShape),
    errors: [
      'MESH_ADDRESS_INVALID',
      'MESH_IPAM_POOL_UNKNOWN',
      'MESH_IPAM_POOL_EXHAUSTED',
      'MESH_IPAM_LENGTH',
      'MESH_IPAM_OUTSIDE',
      'MESH_IPAM_TAKEN',
      'MESH_IPAM_ALLOCATOR_FAILED',
      'MESH_IPAM_ALLOCATOR_WRONG',
      'MESH_NET_UNKNOWN',
      'MESH_NET_SOURCE',
      'MESH_STORE_BROKEN',
    ],
  },
  'DELETE /v1/ipam/allocations/{wanted}': {
    summary: 'Releases an allocation, by its id or its value; a network loses the subnet. The block rests.',
    path: { wanted: nameShape(100) },
    answer: document(AllocationViewShape),
    errors: ['MESH_IPAM_UNKNOWN', 'MESH_NET_IN_USE', 'MESH_STORE_BROKEN'],
  },
  'GET /v1/ipam/check': {
    summary: 'Compares allocations with what uses them, and gives what does not fit.',
    answer: document(FindingsShape),
    errors: ['MESH_STORE_BROKEN'],
  },
} as const satisfies RouteTable;
