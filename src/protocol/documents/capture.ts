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
import { MeshError } from '../../model/error.ts';

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

/** Query parameters for both paths; `readCaptureParameters` is the inverse. */
export function captureParameters({ snapBytes, durationSec, filter }: CaptureSettings): Record<string, string> {
  return { snap: String(snapBytes), for: String(durationSec), filter };
}

/**
 * Settings from the query parameters `snap`, `for` and `filter` of a request. The filter is not parsed here.
 * @throws MESH_USAGE
 */
export function readCaptureParameters(parameters: URLSearchParams): CaptureSettings {
  const filter = parameters.get('filter') ?? '';
  if (filter.length > FILTER_MAX_LENGTH) throw new MeshError('MESH_USAGE', 'the filter is too long');
  return {
    snapBytes: wholeNumber(parameters, 'snap', SNAP_BYTES.least, SNAP_BYTES.most),
    durationSec: wholeNumber(parameters, 'for', 1, CAPTURE_MAX_SEC),
    filter,
  };
}

function wholeNumber(parameters: URLSearchParams, name: string, least: number, most: number): number {
  const text = parameters.get(name) ?? '';
  const value = Number(text);
  if (/^\d{1,6}$/.test(text) && value >= least && value <= most) return value;
  throw new MeshError('MESH_USAGE', `${JSON.stringify(name)} is a number from ${least} to ${most}`);
}
