/** Why moves of workloads could not be ended yet. */

/** Keeps the last fault of each move. */
export class MoveFaults {
  readonly #faults = new Map<string, string>();

  /** @param name the name of the workload */
  note(name: string, fault: string): void {
    this.#faults.set(name, fault);
  }

  forget(name: string): void {
    this.#faults.delete(name);
  }

  /** The last fault of a move; undefined if there was none. */
  of(name: string): string | undefined {
    return this.#faults.get(name);
  }
}
