/**
 * Findings: everything that is not well, in the one shape that status, doctor, readiness, metrics and journal share.
 *
 * A process derives its findings from its own state whenever it is asked, and stores none. A healthy process has no
 * findings. A failed request is answered with an ErrorDocument, which is not a finding.
 */
import type { ErrorCode, ErrorDocument } from '../../model/error.ts';

/** `error`: something does not work now, and `mesh status` ends with 1. `warning`: something is not as it should be. */
export type Severity = 'warning' | 'error';

/** One thing that is not well, with what to do about it. Code and object together identify a finding while it lasts. */
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

/** A part of a process that has findings of its own. */
export interface HealthSource {
  health(): readonly Finding[];
}

/** The parts of a finding that its error does not bring. */
export interface FindingInit {
  /** The object of the finding. The error may name only a part of this object, or none: see `objectOf`. */
  readonly object: string;
  /** `error` if not given. */
  readonly severity?: Severity;
}

/** For an error without remedy and rule. */
const NO_REMEDY = 'See `mesh events` for what led to it.';

/** An error as a finding. An error without a remedy gives its rule as the remedy. */
export function findingOf(error: ErrorDocument, { object, severity = 'error' }: FindingInit): Finding {
  const { code, message, rule, remedy } = error;
  return { code, severity, object, message, remedy: remedy ?? rule ?? NO_REMEDY };
}

/** The object that an error names, else the file that it points into, else undefined. */
export function objectOf({ object, place }: ErrorDocument): string | undefined {
  return object ?? place?.file;
}
