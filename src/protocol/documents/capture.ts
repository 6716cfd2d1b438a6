/**
 * A capture: packets of a network as they pass a node, inside (its VXLAN device) and outside (its underlay devices).
 *
 * - At the agent's socket: `GET /v1/capture?network=NAME&node=NAME&…`. host0's agent captures on any node, another node's agent on itself only.
 * - On a node's channel: `GET /capture?network=NAME&…`, from host0.
 * - Inside the mesh: `GET http://[member]:8001/capture?…`. Agents of earlier versions answer this to host0 only.
 *
 * All answer a stream of pcapng. Each interface in it is named `vxlan456 (inner)` or `eth0 (outer)`. Statistics come at
 * least every 100 ms, also when no packet passes.
 */

/** The options of a capture, which all nodes of one capture share. */
export interface CaptureSettings {
  /** Bytes of each packet that are kept. */
  readonly snapBytes: number;
  readonly durationSec: number;
  /** Words of formats/capture/frame-filter.ts; empty for all frames. */
  readonly filter: string;
}

/** Limits and default of `CaptureSettings.snapBytes`. */
export const SNAP_BYTES = { least: 64, usual: 2048, most: 0xffff } as const;
/** The longest filter (formats/capture/frame-filter.ts), in characters. */
export const FILTER_MAX_LENGTH = 200;
/** The longest capture: one that its user has forgotten ends after an hour. */
export const CAPTURE_MAX_SEC = 3_600;

/** The same as the parameters of a query. */
export interface CaptureQuery {
  readonly snap: number;
  readonly for: number;
  readonly filter: string;
}

/** The parameters of all three paths; `captureSettings` is the inverse. */
export function captureQuery({ snapBytes, durationSec, filter }: CaptureSettings): CaptureQuery {
  return { snap: snapBytes, for: durationSec, filter };
}

/** The settings in a query. The filter is not parsed here. */
export function captureSettings({ snap: snapBytes, for: durationSec, filter }: CaptureQuery): CaptureSettings {
  return { snapBytes, durationSec, filter };
}
