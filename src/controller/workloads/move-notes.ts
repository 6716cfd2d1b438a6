/** How far the moves of workloads are, and why one could not be ended yet. */
import { Signal, type Subscribable } from '../../model/signal.ts';

/** Keeps the last word about each move. */
export class MoveNotes {
  readonly #notes = new Map<string, string>();
  readonly #changes = new Signal<void>();
  /** Emits when there is another word. */
  readonly changes: Subscribable<void> = this.#changes;

  /** @param name the name of the workload */
  note(name: string, note: string): void {
    if (this.#notes.get(name) === note) return;
    this.#notes.set(name, note);
    this.#changes.emit();
  }

  forget(name: string): void {
    this.#notes.delete(name);
  }

  /** The last word about a move; undefined if there was none. */
  of(name: string): string | undefined {
    return this.#notes.get(name);
  }
}
