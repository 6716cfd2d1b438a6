/** The form of what a host0 tells of its leadership. */
import type { LeadershipView } from '../documents/leadership.ts';
import { NicShape, SegmentShape } from './assignment-shape.ts';
import * as form from './form.ts';
import { SEGMENTS_MAX, TextShape } from './parts.ts';

/** The form of `LeadershipView`. */
export const LeadershipShape: form.Shape<LeadershipView> = form.looseObject({
  state: form.oneOf(['leads', 'waits']),
  leader: form.exactOptional(TextShape),
  why: form.exactOptional(TextShape),
  key: form.exactOptional(form.string({ max: 64 })),
  tree: form.exactOptional(form.string({ max: 64 })),
  revision: form.exactOptional(form.int()),
  segments: form.exactOptional(form.listOf(SegmentShape, SEGMENTS_MAX)),
  nics: form.exactOptional(form.listOf(NicShape, SEGMENTS_MAX)),
});
