/** A mutex for each key: pieces of work with the same key run one after another, those with different keys side by side. */
export class KeyedMutex<Key> {
  readonly #last = new Map<Key, Promise<unknown>>();

  /** Runs `work` when all earlier work with this key has ended; resolves or rejects as `work` does. */
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
