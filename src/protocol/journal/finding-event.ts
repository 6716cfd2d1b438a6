/** How the journal tells of what is not well. */
import type { Finding } from '../documents/finding.ts';
import type { EventInit } from './event.ts';

/** A finding as an event of that kind, with the severity as its level. */
export function findingEvent(kind: string, { severity, object, message, code, remedy }: Finding): EventInit {
  return { level: severity, kind, object, message, code, remedy };
}
