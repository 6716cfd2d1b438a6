/** Routes of host0's control socket: machines, their cards and their keys. */
import * as form from '../shapes/form.ts';
import { GivenKeyShape } from '../shapes/key-file.ts';
import { MachineIdShape, MacShape } from '../shapes/parts.ts';
import { ENTRIES_MAX, MachineViewShape } from '../shapes/view-shapes.ts';
import { document, list, NOTHING, type RouteTable } from './route.ts';

const CARDS_MAX = 256;
const machine = form.worded(MachineIdShape, 'A machine id has 8 lower-case hex digits.');

/** The table. */
export const MACHINE_ROUTES = {
  'GET /v1/machines': {
    summary: 'Lists the machines that have booted from host0 or have been members.',
    answer: list(MachineViewShape, ENTRIES_MAX),
  },
  'PUT /v1/machines/{machine}/cards/{mac}': {
    summary: 'Lets a machine boot from one more network card, and gives all its cards.',
    path: { machine, mac: MacShape },
    answer: list(MacShape, CARDS_MAX),
    errors: ['MESH_NODE_UNKNOWN', 'MESH_STORE_BROKEN'],
  },
  'POST /v1/machines/{machine}/key': {
    summary: 'Gives out a key for a machine that host0 did not boot; `renew` replaces the key that it has.',
    path: { machine },
    body: form.defaulted(form.object({ renew: form.defaulted(form.boolean(), false) }), { renew: false }),
    answer: document(GivenKeyShape),
    errors: ['MESH_KEY_GIVEN', 'MESH_KEY_DAMAGED', 'MESH_STORE_BROKEN'],
  },
  'DELETE /v1/machines/{machine}/key': {
    summary: 'Takes all keys of a machine away, and ends its channel.',
    path: { machine },
    answer: NOTHING,
    errors: ['MESH_STORE_BROKEN'],
  },
} as const satisfies RouteTable;
