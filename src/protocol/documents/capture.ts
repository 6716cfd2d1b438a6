/**
 * Packets of a network as they pass a node, inside (its VXLAN device) and outside (its underlay ports). What is asked
 * for, at the agent's socket (`GET /v1/capture?network=NAME&node=NAME&…`, of any node on host0, of itself elsewhere) and
 * inside the mesh (`GET http://[member]:8001/capture?…`, by host0 alone): a stream of pcapng, in which each interface is
 * named `vxlan456 (inner)` or `eth0 (outer)`, with statistics at least every 100 ms, also when nothing passes.
 */
import { MeshError } from '../../model/error.ts';

export interface CaptureSettings {
  /** So many bytes of each packet are kept. */
  readonly snapBytes: number;
  readonly durationSec: number;
  /** formats/capture/frame-filter.ts */
  readonly filter: string;
}

export const SNAP_BYTES = { least: 64, usual: 2048, most: 0xffff } as const;
/** Of a filter (formats/capture/frame-filter.ts). */
export const FILTER_MAX_LENGTH = 200;
/** Nobody needs a forgotten capture. */
export const CAPTURE_MAX_SEC = 3_600;

export function captureParameters({ snapBytes, durationSec, filter }: CaptureSettings): Record<string, string> {
  return { snap: String(snapBytes), for: String(durationSec), filter };
}

/** @throws MESH_USAGE */
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
