/**
 * How much of etcd's history can be dropped. Other programs have revisions of their own in the same etcd: only changes of this store
 * count.
 */

/** The kept changes are counted in so many parts. */
const PARTS = 10;

/** Counts changes. */
export class HistoryMarks {
  readonly #part: number;
  /** The revision at the end of each part, the oldest first. */
  readonly #ends: number[] = [];
  #inPart = 0;

  /** @param keep so many of the last changes stay, and at most a fifth more */
  constructor(keep: number) {
    this.#part = Math.max(1, Math.ceil(keep / PARTS));
  }

  /** Notes a change at a revision. @returns the revision before which history can be dropped, now and then */
  changed(revision: number): number | undefined {
    this.#inPart++;
    if (this.#inPart < this.#part) return undefined;
    this.#inPart = 0;
    this.#ends.push(revision);
    return this.#ends.length > PARTS ? this.#ends.shift() : undefined;
  }
}
