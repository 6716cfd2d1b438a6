/** The last changes of one mesh, for subscribers that come back after a short absence. */
import type { MembershipEvent, MembershipVersion } from '../../protocol/documents/membership.ts';

/** A join, change or leave of one member. */
export type MembershipChange = Exclude<MembershipEvent, { type: 'snapshot' }>;

/** How many changes are remembered. */
const RING_SIZE = 1000;

/** Remembers the last thousand changes. */
export class MembershipLog {
  #ring: MembershipChange[] = [];
  /** All changes after this revision are in the ring. */
  #floor = 0;

  /** Forgets everything: no change up to `revision` is known. */
  reset(revision: number): void {
    this.#ring = [];
    this.#floor = revision;
  }

  add(change: MembershipChange): void {
    this.#ring.push(change);
    if (this.#ring.length <= RING_SIZE) return;
    const lost = this.#ring.shift();
    if (lost !== undefined) this.#floor = lost.version.revision;
  }

  /** The changes after `seen`, or undefined when some of them are not remembered. `now` is the present version. */
  since(seen: MembershipVersion, now: MembershipVersion): readonly MembershipChange[] | undefined {
    if (seen.epoch !== now.epoch || seen.revision < this.#floor || seen.revision > now.revision) return undefined;
    return this.#ring.filter(({ version }) => version.revision > seen.revision);
  }
}
