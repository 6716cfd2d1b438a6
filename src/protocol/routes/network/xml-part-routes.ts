/** Routes of host0's control socket: changes of one element of a network in libvirt's XML, and of its metadata. */
import type { ErrorCode } from '../../../model/error.ts';
import { CatalogueChangeShape } from '../../shapes/catalogue-shapes.ts';
import * as form from '../../shapes/form.ts';
import type { RouteTable } from '../route.ts';
import { document, nameShape, SwitchShape } from '../route.ts';

/** Longer than any element that makes sense, and as long as an order may be. */
const XML_MAX = 1024 * 1024;
/** A part of the metadata is found by its namespace. */
const URI_MAX = 1_000;
const PREFIX_MAX = 100;
/** libvirt's numbers (virNetworkUpdateCommand, virNetworkUpdateSection) end with these. */
const COMMAND_LAST = 4;
const SECTION_LAST = 12;
/** A document has no more subnets. */
const INDEX_MAX = 10_000;

const named = { name: nameShape(100) };
const forms = { 'dry-run': SwitchShape, live: SwitchShape, config: SwitchShape };
const answer = document(CatalogueChangeShape);
const ERRORS: readonly ErrorCode[] = [
  'MESH_NET_UNKNOWN',
  'MESH_NET_SOURCE',
  'MESH_NET_TRANSIENT',
  'MESH_NET_INACTIVE',
  'MESH_NET_INVALID',
  'MESH_CONF_SYNTAX',
];

/** The table. */
export const XML_PART_ROUTES = {
  'POST /v1/catalogue/{name}/elements': {
    summary: 'Adds, changes or deletes one element of a network in libvirt’s XML, with libvirt’s numbers.',
    path: named,
    query: forms,
    body: form.object({
      command: form.int(1, COMMAND_LAST),
      section: form.int(1, SECTION_LAST),
      parentIndex: form.exactOptional(form.int(-1, INDEX_MAX)),
      xml: form.string({ max: XML_MAX }),
    }),
    bodyMaxBytes: 2 * XML_MAX,
    answer,
    errors: ERRORS,
  },
  'GET /v1/catalogue/{name}/metadata': {
    summary: 'Gives the element of the metadata of a network that has a namespace.',
    path: named,
    query: { uri: form.string({ max: URI_MAX, pattern: /./ }), config: SwitchShape },
    answer: document(form.object({ xml: form.string({ max: XML_MAX }) })),
    errors: ERRORS,
  },
  'PUT /v1/catalogue/{name}/metadata': {
    summary: 'Sets the element of the metadata of a network that has a namespace, or removes it.',
    path: named,
    query: forms,
    body: form.object({
      uri: form.string({ max: URI_MAX, pattern: /./ }),
      key: form.exactOptional(form.string({ max: PREFIX_MAX })),
      xml: form.exactOptional(form.string({ max: XML_MAX })),
    }),
    bodyMaxBytes: 2 * XML_MAX,
    answer,
    errors: ERRORS,
  },
} as const satisfies RouteTable;
