/** Copies of the volumes of a workload that moves, from its node by host0 to the next one, as the processes speak of them. */

/** Which copy is meant. Each order to move has a word of its own: what an earlier one has left is never taken for this one. */
export interface CopyName {
  /** 8 hex digits. */
  readonly workload: string;
  /** 16 hex digits. */
  readonly word: string;
}

/** A file that is copied: a disk, by the id of its volume, or an image that disks are over, by its SHA-256. */
export interface CopiedFile {
  readonly file: string;
  readonly sizeBytes: number;
  /** Another content has another version. That of an image is its SHA-256. */
  readonly version: string;
  /** The SHA-256 of the image that a disk is over. */
  readonly over?: string;
}

/** How much of a file has arrived. */
export interface ArrivedFile {
  readonly file: string;
  readonly bytes: number;
}

/** A line of a file on its way. */
export type CopyLine =
  | { readonly kind: 'piece'; readonly base64: string }
  /** The node still reads what has arrived before, for the hash. */
  | { readonly kind: 'reading' }
  /** All has been sent. */
  | { readonly kind: 'whole'; readonly sha256: string };

/** As much of a file is in one piece: pings of the channel pass between two of them. */
export const COPY_PIECE_BYTES: number = 256 * 1024;
