/** Routes of disk images: of a node's channel, and of host0's control socket, which asks the nodes. */
import {
  DiskImageCacheShape,
  DiskImageShape,
  FileAskShape,
  FileHeadShape,
  ImageLineShape,
} from '../../shapes/disk-image-shape.ts';
import * as form from '../../shapes/form.ts';
import { ErrorShape } from '../../shapes/parts.ts';
import { ENTRIES_MAX } from '../../shapes/view-shapes.ts';
import { document, lines, list, nameShape, type RouteTable } from '../route.ts';

const wanted = {
  source: nameShape(2_000),
  sha256: form.exactOptional(form.string({ max: 100 })),
};
const node = nameShape(64);
const image = nameShape(2_000);

/** Of a node's channel. */
export const NODE_IMAGE_ROUTES = {
  'GET /disk-images': {
    summary: 'Lists the disk images in the node’s cache.',
    answer: document(DiskImageCacheShape),
  },
  'POST /disk-images': {
    summary: 'Fetches a disk image into the node’s cache; lines tell how far it is, and last what came of it.',
    body: form.object(wanted),
    answer: lines(ImageLineShape),
  },
  'DELETE /disk-images': {
    summary: 'Removes a disk image from the node’s cache.',
    query: { image },
    answer: document(DiskImageShape),
    errors: ['MESH_OBJECT_UNKNOWN', 'MESH_DISK_IMAGE_USED', 'MESH_DISK_REFUSED'],
  },
  'PUT /isos': {
    summary:
      'Sends the node files of host0’s folder isos: the node asks line by line, bytes follow each line of host0.',
    answer: { kind: 'conversation', form: FileAskShape, asked: FileHeadShape },
    errors: ['MESH_OBJECT_UNKNOWN'],
  },
} as const satisfies RouteTable;

/** Of host0's control socket. */
export const IMAGE_ROUTES = {
  'GET /v1/disk-images': {
    summary: 'Lists the disk images of all nodes, or of one.',
    query: { node: form.exactOptional(node) },
    answer: list(
      form.object({
        node: form.string(),
        cache: form.exactOptional(DiskImageCacheShape),
        error: form.exactOptional(ErrorShape),
      }),
      ENTRIES_MAX,
    ),
    errors: ['MESH_NODE_UNKNOWN'],
  },
  'POST /v1/disk-images': {
    summary: 'Fetches a disk image into the cache of a node; lines tell how far it is, and last what came of it.',
    body: form.object({ ...wanted, node }),
    answer: lines(ImageLineShape),
    errors: ['MESH_NODE_UNKNOWN', 'MESH_CHANNEL_DOWN', 'MESH_NODE_OFFLINE'],
  },
  'DELETE /v1/disk-images': {
    summary: 'Removes a disk image from the cache of a node.',
    query: { node, image },
    answer: document(DiskImageShape),
    errors: [
      'MESH_NODE_UNKNOWN',
      'MESH_CHANNEL_DOWN',
      'MESH_OBJECT_UNKNOWN',
      'MESH_DISK_IMAGE_USED',
      'MESH_DISK_REFUSED',
    ],
  },
} as const satisfies RouteTable;
