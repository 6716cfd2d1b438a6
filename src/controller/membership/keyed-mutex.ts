/** Lets pieces of work on one thing follow one another, while those on different things run side by side. */
export class KeyedMutex<Key> {
  readonly #last = new Map<Key, Promise<unknown>>();

  take<T>(key: Key, work: () => Promise<T>): Promise<T> {
    const mine = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const settled: Promise<void> = mine.then(
      () => this.#done(key, settled),
      () => this.#done(key, settled),
    );
    this.#last.set(key, settled);
    return mine;
  }

  #done(key: Key, settled: Promise<void>): void {
    if (this.#last.get(key) === settled) this.#last.delete(key);
  }
}
