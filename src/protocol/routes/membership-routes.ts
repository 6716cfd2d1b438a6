/** The routes of host0 inside each mesh (documents/membership.ts). Older agents ask them, too, and programs such as curl. */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import { isIpv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import { INVENTORY_MAX_BYTES } from '../documents/inventory.ts';
import { REPORT_MAX_BYTES, type SelfReport, type SelfReportAnswer } from '../documents/membership.ts';
import * as form from '../shapes/form.ts';
import { SentInventoryShape } from '../shapes/inventory-shape.ts';
import { MembershipEventShape, ReportAnswerShape } from '../shapes/membership-shape.ts';
import { MachineIdShape, NodeNameShape } from '../shapes/parts.ts';
import { NetworkStateShape } from '../shapes/state-shape.ts';
import { events, NOTHING, type RouteTable } from './route.ts';

const name = form.worded(NodeNameShape, 'A host name has at most 63 letters, digits, dots and hyphens.');
const machine = form.worded(MachineIdShape, 'A machine id has 8 lower-case hex digits.');
const hex64 = form.worded(form.string({ pattern: /^[0-9a-f]{64}$/ }), '64 hex digits.');
const word = (value: unknown) => typeof value === 'string' && isIpv4(value);

/** A node's report. */
const ReportShape: form.Shape<SelfReport> = form.object({
  machine,
  name,
  instance: form.worded(
    form.string({ pattern: /^[0-9A-Za-z-]{1,64}$/ }),
    'An instance has 1 to 64 letters, digits and hyphens.',
  ),
  ipv4: form.guard<Ipv4>(word, { rule: 'An IPv4 address.' }, form.TEXT),
  nonce: form.exactOptional(
    form.worded(form.string({ pattern: /^([0-9a-f]{32})?$/ }), 'A nonce has 32 hex digits, or is empty.'),
  ),
  proof: form.exactOptional(hex64),
  token: form.exactOptional(hex64),
  leaving: form.exactOptional(form.boolean()),
  state: NetworkStateShape,
});

/** The table. */
export const MEMBERSHIP_ROUTES = {
  'GET /': {
    summary: 'Lists the members, a line each, host0 first; with a name, the asker becomes or stays a member.',
    query: { name: form.exactOptional(name), machine: form.exactOptional(machine) },
    answer: { kind: 'text', mediaTypes: ['text/plain'], statuses: [304] },
    errors: ['MESH_MEMBER_FORGED', 'MESH_MEMBER_NOT_ADMITTED', 'MESH_MEMBER_DOUBLE', 'MESH_HOST0_STARTING'],
  },
  'PUT /self': {
    summary: 'Takes a node’s report: the node becomes or stays a member, or leaves.',
    body: ReportShape,
    bodyMaxBytes: REPORT_MAX_BYTES,
    answer: {
      kind: 'document',
      form: ReportAnswerShape,
      statusOf: (answer: SelfReportAnswer) => (answer.accepted ? 200 : MeshError.fromJSON(answer.error).httpStatus),
      statuses: [403],
    },
    errors: [
      'MESH_MEMBER_FORGED',
      'MESH_MEMBER_NOT_ADMITTED',
      'MESH_MEMBER_DOUBLE',
      'MESH_MEMBER_UNPROVEN',
      'MESH_NODE_NAME',
    ],
  },
  'PUT /inventory': {
    summary: 'Takes what the asker’s machine is made of.',
    body: SentInventoryShape,
    bodyMaxBytes: INVENTORY_MAX_BYTES,
    answer: NOTHING,
    errors: ['MESH_MEMBER_FORGED', 'MESH_MEMBER_NOT_ADMITTED'],
  },
  'GET /events': {
    summary:
      'Streams the members to a member: all of them first, then who joins, changes and leaves; resumed by `Last-Event-ID`.',
    answer: events({
      snapshot: MembershipEventShape,
      join: MembershipEventShape,
      change: MembershipEventShape,
      leave: MembershipEventShape,
    }),
    errors: ['MESH_MEMBER_FORGED', 'MESH_MEMBER_NOT_ADMITTED', 'MESH_HOST0_STARTING'],
  },
} as const satisfies RouteTable;
