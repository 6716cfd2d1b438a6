/** The small numbers of active networks. A network gets the lowest that is free when it becomes active. */

/** Which are taken. A number that is free is found without a look at all networks. */
export class ActiveIds {
  /** How many have a number: documents that were written by hand may have the same one. */
  readonly #holders = new Map<number, number>();
  /** Those of networks that are about to become active. No record has them yet. */
  readonly #underWay = new Set<number>();
  /** All numbers below are taken. */
  #from = 1;

  /** Takes the lowest number that is free, until `done`. */
  take(): number {
    while (this.#holders.has(this.#from) || this.#underWay.has(this.#from)) this.#from++;
    this.#underWay.add(this.#from);
    return this.#from;
  }

  /** The network for which the number was taken is active, or does not become so. */
  done(id: number | undefined): void {
    if (id === undefined) return;
    this.#underWay.delete(id);
    if (!this.#holders.has(id)) this.#from = Math.min(this.#from, id);
  }

  /** Another network has the number. */
  hold(id: number | undefined): void {
    if (id !== undefined) this.#holders.set(id, (this.#holders.get(id) ?? 0) + 1);
  }

  /** A network has the number no more. */
  leave(id: number | undefined): void {
    if (id === undefined) return;
    const left = (this.#holders.get(id) ?? 0) - 1;
    if (left > 0) this.#holders.set(id, left);
    else {
      this.#holders.delete(id);
      this.#from = Math.min(this.#from, id);
    }
  }

  /** Forgets the numbers of records; those that `take` has given stay taken. */
  clear(): void {
    this.#holders.clear();
    this.#from = 1;
  }
}
