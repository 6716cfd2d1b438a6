/** Findings as events of the journal. */
import type { Finding } from '../documents/finding.ts';
import type { EventInit } from './event.ts';

/** A finding as an event of the given kind. The severity becomes the level. */
export function findingEvent(kind: string, { severity, object, message, code, remedy }: Finding): EventInit {
  return { level: severity, kind, object, message, code, remedy };
}
