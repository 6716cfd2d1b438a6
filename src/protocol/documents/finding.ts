/**
 * Findings: all that is not well, in the one shape that status, doctor, readiness, metrics and journal share.
 *
 * The source of truth is the state of the process that tells a finding. It makes its findings of that state at each
 * question, and stores none. An empty list of findings is health. A failed request is an ErrorDocument and no finding.
 */
import type { ErrorCode, ErrorDocument } from '../../model/error.ts';

/** `error`: something does not work now, and `mesh status` ends with 1. `warning`: something may not work soon. */
export type Severity = 'warning' | 'error';

/** One thing that is not well, with what to do about it. Code and object together name it while it lasts. */
export interface Finding {
  readonly code: ErrorCode;
  readonly severity: Severity;
  /** A file, a device, a member, the name of a network. */
  readonly object: string;
  /** The sentence for people. */
  readonly message: string;
  /** What to do about it, as a sentence. */
  readonly remedy: string;
}

/** What an error does not say of itself. */
export interface FindingInit {
  /** The object of the finding. An error may name a part of it only, or nothing: `objectOf` tells. */
  readonly object: string;
  /** `error` if not given. */
  readonly severity?: Severity;
}

/** For an error that says neither what to do nor which rule was broken. */
const NO_REMEDY = 'See `mesh events` for what led to it.';

/** The finding that tells of an error for as long as the error lasts. The broken rule stands in for a missing remedy. */
export function findingOf(error: ErrorDocument, { object, severity = 'error' }: FindingInit): Finding {
  const { code, message, rule, remedy } = error;
  return { code, severity, object, message, remedy: remedy ?? rule ?? NO_REMEDY };
}

/** What an error itself says that it is about: its object, else the file that it points into. */
export function objectOf({ object, place }: ErrorDocument): string | undefined {
  return object ?? place?.file;
}
