/** Routes of host0's control socket: the ports that host0 places on nodes. */
import { NameShape } from '../../model/network/words.ts';
import * as form from '../shapes/form.ts';
import { GuestAddressesShape } from '../shapes/node-assignment-shape.ts';
import { DeviceShape, MacShape } from '../shapes/parts.ts';
import { ENTRIES_MAX, PlacedPortShape } from '../shapes/view-shapes.ts';
import { document, list, nameShape, type RouteTable } from './route.ts';

const id = nameShape(64);
const place = { node: form.string({ max: 64 }), interface: form.exactOptional(DeviceShape) };

/** The table. */
export const PORT_ROUTES = {
  'GET /v1/ports': {
    summary: 'Lists the ports that host0 has placed on nodes.',
    answer: list(PlacedPortShape, ENTRIES_MAX),
  },
  'POST /v1/ports': {
    summary: 'Places a port on a node.',
    body: form.object({
      network: form.string({ max: 100 }),
      mac: form.exactOptional(MacShape),
      name: form.exactOptional(NameShape),
      addresses: form.exactOptional(GuestAddressesShape),
      vm: form.exactOptional(form.string({ max: 64 })),
      trusted: form.exactOptional(form.literal(true)),
      ...place,
    }),
    answer: document(PlacedPortShape),
    errors: [
      'MESH_NET_UNKNOWN',
      'MESH_NODE_UNKNOWN',
      'MESH_PORT_TAKEN',
      'MESH_PORT_MAC_TWICE',
      'MESH_PORT_ADDRESS_TWICE',
      'MESH_PORT_UNFIT',
    ],
  },
  'GET /v1/ports/{id}': {
    summary: 'Shows a port, by its id or its name.',
    path: { id: nameShape(64) },
    answer: document(PlacedPortShape),
    errors: ['MESH_PORT_UNKNOWN'],
  },
  'POST /v1/ports/{id}/move': {
    summary: 'Moves a port to another node, which has it before the old one forgets it.',
    path: { id },
    body: form.object(place),
    answer: document(PlacedPortShape),
    errors: ['MESH_PORT_UNKNOWN', 'MESH_NODE_UNKNOWN', 'MESH_PORT_TAKEN'],
  },
  'DELETE /v1/ports/{id}': {
    summary: 'Deletes a port: its node takes the interface off the network.',
    path: { id },
    answer: document(PlacedPortShape),
    errors: ['MESH_PORT_UNKNOWN', 'MESH_STORE_BROKEN'],
  },
} as const satisfies RouteTable;
