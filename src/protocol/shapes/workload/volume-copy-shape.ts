/** The forms of documents about copies of volumes. */
import { PartIdShape, Sha256Shape } from '../../../model/workload/volume.ts';
import { WORKLOAD_PARTS_MAX } from '../../../model/workload/workload.ts';
import {
  type ArrivedFile,
  COPY_PIECE_BYTES,
  type CopiedFile,
  type CopyLine,
  type CopyName,
} from '../../documents/workload/volume-copy.ts';
import { WorkloadIdShape } from '../assigned-workload-shape.ts';
import * as form from '../form.ts';

/** Each disk may be over an image of its own. One more file has the variables of the firmware. */
export const COPIED_FILES_MAX: number = 2 * WORKLOAD_PARTS_MAX + 1;
/** The word of a copy. */
export const CopyWordShape: form.Shape<string> = form.string({ pattern: /^[\da-f]{16}$/ });
/** The id of a volume is shorter than a SHA-256: the two are never mixed up. */
export const CopiedFileNameShape: form.Shape<string> = form.string({
  pattern: /^(?:[\da-f]{64}|[A-Za-z0-9][A-Za-z0-9_-]{0,30})$/,
});
/** Bytes as Base64. */
export const PieceShape: form.Shape<string> = form.string({
  max: Math.ceil(COPY_PIECE_BYTES / 3) * 4,
  pattern: /^[A-Za-z0-9+/]*={0,2}$/,
});

const Bytes = form.int(0);
const naming = { workload: WorkloadIdShape, word: CopyWordShape };

/** The form of `CopyName`. */
export const CopyNameShape: form.Shape<CopyName> = form.object(naming);

/** The form of `CopiedFile`. */
export const CopiedFileShape: form.Shape<CopiedFile> = form.object({
  file: CopiedFileNameShape,
  sizeBytes: Bytes,
  version: form.string({ pattern: /^[\da-f]{32,64}$/ }),
  over: form.exactOptional(Sha256Shape),
});

/** The form of `ArrivedFile`. */
export const ArrivedFileShape: form.Shape<ArrivedFile> = form.object({ file: CopiedFileNameShape, bytes: Bytes });

/** The form of an order to take a copy. */
export const ArrivalOrderShape = form.object({ ...naming, files: form.listOf(CopiedFileShape, COPIED_FILES_MAX) });

/** The form of a piece that arrives. */
export const ArrivingPieceShape = form.object({
  ...naming,
  file: CopiedFileNameShape,
  firstByte: Bytes,
  base64: PieceShape,
});

/** The form of the end of a copy: the SHA-256 of each disk. */
export const ArrivalEndShape = form.object({
  ...naming,
  sums: form.recordOf(PartIdShape, Sha256Shape, COPIED_FILES_MAX),
});

/** The form of `CopyLine`. */
export const CopyLineShape: form.Shape<CopyLine> = form.variants('kind', [
  form.object({ kind: form.literal('piece'), base64: PieceShape }),
  form.object({ kind: form.literal('reading') }),
  form.object({ kind: form.literal('whole'), sha256: Sha256Shape }),
]);
