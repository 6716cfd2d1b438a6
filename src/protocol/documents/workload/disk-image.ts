/** Disk images in the cache of a node, as the processes speak of them. */
import type { ErrorDocument } from '../../../model/error.ts';

/** How far a transfer is. */
export interface ImageProgress {
  readonly doneBytes: number;
  /** Of the last five seconds. */
  readonly bytesPerSec: number;
  /** Absent where the origin does not say it. */
  readonly totalBytes?: number;
  /** Absent while nothing comes. */
  readonly remainingSec?: number;
}

/** A disk image of a node. */
export interface DiskImage {
  /** SHA-256 of its bytes, as hex. Empty while it is on its way. */
  readonly sha256: string;
  /** Where it came from, as lists show it; several places may have the same image. */
  readonly sources: readonly string[];
  readonly sizeBytes: number;
  readonly format: 'qcow2' | 'raw';
  /** The size of the disk that a guest sees. */
  readonly diskBytes: number;
  /** The volumes over it, by their paths. */
  readonly volumes: readonly string[];
  /** How long ago it was wanted last. */
  readonly usedSecAgo: number;
  /** While it is on its way. */
  readonly progress?: ImageProgress;
}

/** The cache of a node. */
export interface DiskImageCache {
  readonly images: readonly DiskImage[];
  readonly usedBytes: number;
  readonly limitBytes: number;
  /** Whether the cache is in memory, on a node without a disk. */
  readonly isInMemory: boolean;
}

/** A line of the answer to a request for an image: progress, and last what came of it. */
export type ImageLine =
  | { readonly kind: 'progress'; readonly progress: ImageProgress }
  | { readonly kind: 'ready'; readonly image: DiskImage }
  | { readonly kind: 'failed'; readonly error: ErrorDocument };
