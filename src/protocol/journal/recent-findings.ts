/**
 * Findings about what happened, such as a refusal. Nothing tells a process when such a finding is over, so each lasts for an
 * hour after it was seen last. Strangers cause them, so their number is bounded.
 */
import type { Clock } from '../../model/clock.ts';
import type { ErrorCode } from '../../model/error.ts';
import type { Finding } from '../documents/finding.ts';

/** How long a finding lasts after it was seen last: long enough that an administrator sees it, and that a repetition renews it. */
export const RECENT_MS = 3_600_000;
/** Enough to see who does what. A host that makes up more objects than this is found by any of them. */
const OBJECTS_MAX = 8;

interface Seen {
  readonly finding: Finding;
  readonly seenMs: number;
}

/** The findings of the last hour, for each code about the eight objects that were seen last. */
export class RecentFindings {
  readonly #clock: Clock;
  /** By code and then by object, the one that was seen last at the end. */
  readonly #byCode = new Map<ErrorCode, Map<string, Seen>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes a finding, which replaces an earlier one with the same code and object. @returns whether there was no such finding */
  see(finding: Finding): boolean {
    const { code, object } = finding;
    const seen = this.#byCode.get(code) ?? new Map<string, Seen>();
    this.#byCode.set(code, seen);
    const isNew = !this.#lasts(seen.get(object));
    seen.delete(object);
    seen.set(object, { finding, seenMs: this.#clock.nowMs() });
    const [oldest] = seen.keys();
    if (seen.size > OBJECTS_MAX && oldest !== undefined) seen.delete(oldest);
    return isNew;
  }

  /** Ends a finding that the administrator has healed. */
  end(code: ErrorCode, object: string): void {
    this.#byCode.get(code)?.delete(object);
  }

  /** The findings that last. */
  health(): readonly Finding[] {
    const all = [...this.#byCode.values()].flatMap((seen) => [...seen.values()]);
    return all.flatMap((seen) => (this.#lasts(seen) ? [seen.finding] : []));
  }

  #lasts(seen: Seen | undefined): boolean {
    return seen !== undefined && this.#clock.nowMs() - seen.seenMs <= RECENT_MS;
  }
}
