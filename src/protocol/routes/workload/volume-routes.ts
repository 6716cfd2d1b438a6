/** Routes of a node's channel by which host0 copies the volumes of a workload that moves: from its node, and to the next one. */
import { WorkloadIdShape } from '../../shapes/assigned-workload-shape.ts';
import * as form from '../../shapes/form.ts';
import {
  ArrivalEndShape,
  ArrivalOrderShape,
  ArrivedFileShape,
  ArrivingPieceShape,
  COPIED_FILES_MAX,
  CopiedFileNameShape,
  CopiedFileShape,
  CopyLineShape,
  CopyWordShape,
} from '../../shapes/workload/volume-copy-shape.ts';
import { document, lines, list, numberInQuery, type RouteTable } from '../route.ts';

/** A piece as Base64 has 350 kB. */
const PIECE_MAX_BYTES = 512 * 1024;

/** Of a node's channel. */
export const NODE_VOLUME_ROUTES = {
  'GET /volumes': {
    summary: 'Lists the files of a stopped workload’s volumes: disks, and the images that they are over.',
    query: { workload: WorkloadIdShape },
    answer: list(CopiedFileShape, COPIED_FILES_MAX),
    errors: ['MESH_WORKLOAD_RUNS', 'MESH_VOLUME_REFUSED'],
  },
  'GET /volume': {
    summary: 'Streams one of these files from a byte on, in pieces, and last its hash.',
    query: {
      workload: WorkloadIdShape,
      file: CopiedFileNameShape,
      version: form.string({ max: 64 }),
      first: numberInQuery(0, Number.MAX_SAFE_INTEGER),
    },
    answer: lines(CopyLineShape),
    errors: ['MESH_WORKLOAD_RUNS', 'MESH_VOLUME_REFUSED'],
  },
  'POST /arrivals': {
    summary: 'Makes the node ready for a copy of volumes, and says how much of each file it has already.',
    body: ArrivalOrderShape,
    answer: list(ArrivedFileShape, COPIED_FILES_MAX),
    errors: ['MESH_DISK_REFUSED', 'MESH_BUSY'],
  },
  'PUT /arrivals': {
    summary: 'Adds a piece to a file of a copy. Answers how much has arrived.',
    body: ArrivingPieceShape,
    bodyMaxBytes: PIECE_MAX_BYTES,
    answer: document(ArrivedFileShape),
    errors: ['MESH_DISK_REFUSED', 'MESH_VOLUME_REFUSED'],
  },
  'POST /arrivals/end': {
    summary: 'Ends a copy: the node checks the hashes, and keeps the volumes for their workload.',
    body: ArrivalEndShape,
    answer: document(form.object({})),
    errors: ['MESH_DISK_IMAGE_HASH', 'MESH_DISK_IMAGE_ROOM', 'MESH_DISK_REFUSED', 'MESH_VOLUME_REFUSED'],
  },
  'DELETE /arrivals': {
    summary: 'Removes what has arrived for a workload that does not come.',
    query: { workload: WorkloadIdShape, word: CopyWordShape },
    answer: document(form.object({})),
  },
} as const satisfies RouteTable;
