/** The queries of what host0 and members ask a node for: its part of a path, and its packets. */
import { CAPTURE_MAX_SEC, FILTER_MAX_LENGTH, SNAP_BYTES } from '../documents/capture.ts';
import { POINT_MAX_LENGTH } from '../documents/trace.ts';
import * as form from '../shapes/form.ts';
import { nameShape, numberInQuery } from './route.ts';

/** The name of a network in a query. */
export const NetworkQuery = { network: nameShape(256) };

const point = form.worded(form.string({ max: POINT_MAX_LENGTH }), 'An end of a path is member[,MAC[,IPv6]].');
/** The ends of a path (documents/trace.ts). */
export const PathQueryFields = { from: point, to: point };

/** What a capture keeps, and how long it runs. */
export const CaptureQueryFields = {
  snap: numberInQuery(SNAP_BYTES.least, SNAP_BYTES.most),
  for: numberInQuery(1, CAPTURE_MAX_SEC),
  filter: form.defaulted(
    form.worded(form.string({ max: FILTER_MAX_LENGTH }), `A filter has at most ${FILTER_MAX_LENGTH} characters.`),
    '',
  ),
};
