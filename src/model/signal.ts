/** Signals: values over time, and the listeners that get them. */

/** The public side of a signal: others subscribe, and only the owner emits. */
export interface Subscribable<T> {
  /** Calls `listener` with each value from now on. @returns a function that ends the subscription */
  subscribe(listener: (value: T) => void): () => void;
}

/**
 * Passes each value to all listeners, in the order of their subscription. A listener that is added during an `emit` gets
 * the next value, not this one. A listener that is removed during an `emit` does not get the value any more.
 */
export class Signal<T> implements Subscribable<T> {
  /** An object for each subscription, because one function may subscribe twice. */
  readonly #subscriptions = new Set<{ readonly listener: (value: T) => void }>();

  /** Number of subscriptions. */
  get size(): number {
    return this.#subscriptions.size;
  }

  subscribe(listener: (value: T) => void): () => void {
    const subscription = { listener };
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  /** @throws the first error that a listener threw, after all listeners have got the value */
  emit(value: T): void {
    const errors: unknown[] = [];
    for (const subscription of [...this.#subscriptions]) {
      if (!this.#subscriptions.has(subscription)) continue;
      try {
        subscription.listener(value);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
