/** How the bytes of a disk image come from its source, whatever the source is. */

/** What is asked of an origin. */
export interface OriginAsk {
  /** The first byte that is wanted; 0 is the beginning. */
  readonly firstByte: number;
  /** The version of which the bytes before `firstByte` are; from another version the origin begins at 0. */
  readonly version?: string | undefined;
  /** Ends the transfer. */
  readonly signal: AbortSignal;
}

/** The bytes of an image while they arrive. */
export interface OriginAnswer {
  /** The first byte that comes: the one that was asked for, or 0. */
  readonly firstByte: number;
  /** The size of the whole image; undefined when the origin does not say it. */
  readonly totalBytes?: number;
  /** What names this content at the origin, such as a strong ETag. Without it, a transfer that was cut begins anew. */
  readonly version?: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Opens an image at its source. @throws MeshError; `retryable` says whether a later call may succeed */
export type OpenOrigin = (ask: OriginAsk) => Promise<OriginAnswer>;
