/** The last events of one mesh, so that a listener that was away for a moment gets what it missed and no more. */
import type { MembershipEvent, MembershipVersion } from '../../protocol/documents/membership.ts';

export type MembershipChange = Exclude<MembershipEvent, { type: 'snapshot' }>;

const RING_SIZE = 1000;

export class MembershipLog {
  #ring: MembershipChange[] = [];
  /** Everything after this revision is in the ring. */
  #floor = 0;

  /** Nothing before `revision` is known. */
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

  /** What came after `seen`, or undefined when that is not known for sure. `now` is the present version. */
  since(seen: MembershipVersion, now: MembershipVersion): readonly MembershipChange[] | undefined {
    if (seen.epoch !== now.epoch || seen.revision < this.#floor || seen.revision > now.revision) return undefined;
    return this.#ring.filter(({ version }) => version.revision > seen.revision);
  }
}
