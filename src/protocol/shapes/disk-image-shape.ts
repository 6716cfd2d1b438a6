/** The forms of documents about disk images and consoles. */
import type { ConsoleView, ConsoleViewer, NodeConsole } from '../documents/workload/console.ts';
import type { DiskImage, DiskImageCache, ImageLine, ImageProgress } from '../documents/workload/disk-image.ts';
import * as form from './form.ts';
import { ErrorShape, TextShape, textUpTo } from './parts.ts';

/** More images than a disk holds. */
const IMAGES_MAX = 10_000;
/** More consoles than a node has virtual machines. */
export const CONSOLES_MAX = 10_000;
const SourceTextShape = textUpTo(2_100);

/** The form of `ImageProgress`. */
export const ImageProgressShape: form.Shape<ImageProgress> = form.object({
  doneBytes: form.number(),
  bytesPerSec: form.number(),
  totalBytes: form.exactOptional(form.number()),
  remainingSec: form.exactOptional(form.number()),
});

/** The form of `DiskImage`. */
export const DiskImageShape: form.Shape<DiskImage> = form.object({
  sha256: form.string({ pattern: /^(?:[\da-f]{64})?$/ }),
  sources: form.listOf(SourceTextShape, 100),
  sizeBytes: form.number(),
  format: form.oneOf(['qcow2', 'raw']),
  diskBytes: form.number(),
  volumes: form.listOf(SourceTextShape, IMAGES_MAX),
  usedSecAgo: form.number(),
  progress: form.exactOptional(ImageProgressShape),
});

/** The form of `DiskImageCache`. */
export const DiskImageCacheShape: form.Shape<DiskImageCache> = form.object({
  images: form.listOf(DiskImageShape, IMAGES_MAX),
  usedBytes: form.number(),
  limitBytes: form.number(),
  isInMemory: form.boolean(),
});

/** The form of `ImageLine`. */
export const ImageLineShape: form.Shape<ImageLine> = form.variants('kind', [
  form.object({ kind: form.literal('progress'), progress: ImageProgressShape }),
  form.object({ kind: form.literal('ready'), image: DiskImageShape }),
  form.object({ kind: form.literal('failed'), error: ErrorShape }),
]);

/** The form of `ConsoleViewer`. */
export const ConsoleViewerShape: form.Shape<ConsoleViewer> = form.object({
  who: TextShape,
  ageSec: form.number(),
  writes: form.boolean(),
});

const CONSOLE_FIELDS = {
  workload: form.string({ max: 64 }),
  id: form.string({ max: 64 }),
  isOpen: form.boolean(),
  keptBytes: form.number(),
  viewers: form.listOf(ConsoleViewerShape, 1_000),
};
/** The form of `ConsoleView`. */
export const ConsoleViewShape: form.Shape<ConsoleView> = form.object(CONSOLE_FIELDS);
/** The form of `NodeConsole`. */
export const NodeConsoleShape: form.Shape<NodeConsole> = form.object({ node: form.string(), ...CONSOLE_FIELDS });

/** What a node wants of a file of host0: a line. */
export const FileAskShape = form.object({
  path: form.string({ max: 1_024 }),
  firstByte: form.int(0),
  version: form.exactOptional(form.string({ max: 600 })),
});
/** What host0 answers: a line, and behind it the bytes from `firstByte` to `totalBytes`. */
export const FileHeadShape = form.union([
  form.object({ firstByte: form.int(0), totalBytes: form.int(0), version: form.string({ max: 600 }) }),
  form.object({ error: ErrorShape }),
]);
/** A line of the two. */
export const FILE_LINE_MAX_LENGTH: number = 16 * 1024;
