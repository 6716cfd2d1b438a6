/** Runs works of which some must wait for others: two works that have a key in common run one after the other. */

/** What a work looks at, and what it changes. */
export interface KeysOfWork {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

interface LastOf {
  /** The last work that changes the key. */
  write?: Promise<unknown>;
  /** The works since then that look at it. */
  readonly reads: Promise<unknown>[];
}

/** Keeps works in order, key by key, and at most `max` under way. */
export class KeyOrder {
  readonly #max: number;
  readonly #last = new Map<string, LastOf>();
  readonly #ready: (() => void)[] = [];
  #running = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Resolves when all works that were asked for have ended. */
  async idle(): Promise<void> {
    await Promise.all(Array.from(this.#last.values(), ({ write, reads }) => Promise.all([write, ...reads])));
  }

  /** Runs a work after those before it that change what it looks at, or look at what it changes. */
  run<T>({ reads, writes }: KeysOfWork, work: () => Promise<T>): Promise<T> {
    const before = new Set<Promise<unknown>>();
    for (const key of [...reads, ...writes]) {
      const { write } = this.#last.get(key) ?? {};
      if (write !== undefined) before.add(write);
    }
    for (const key of writes) for (const read of this.#last.get(key)?.reads ?? []) before.add(read);
    const done = this.#after(before, work);
    const settled = done.catch(() => undefined);
    const changed = new Set(writes);
    for (const key of writes) this.#last.set(key, { write: settled, reads: [] });
    for (const key of reads) if (!changed.has(key)) this.#lastOf(key).reads.push(settled);
    void settled.then(() => this.#forget([...reads, ...writes], settled));
    return done;
  }

  async #after<T>(before: ReadonlySet<Promise<unknown>>, work: () => Promise<T>): Promise<T> {
    if (before.size > 0) await Promise.all(before);
    if (this.#running >= this.#max) await new Promise<void>((resolve) => this.#ready.push(resolve));
    else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#ready.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #lastOf(key: string): LastOf {
    const last = this.#last.get(key) ?? { reads: [] };
    this.#last.set(key, last);
    return last;
  }

  #forget(keys: readonly string[], settled: Promise<unknown>): void {
    for (const key of keys) {
      const last = this.#last.get(key);
      if (last === undefined) continue;
      if (last.write === settled) delete last.write;
      const at = last.reads.indexOf(settled);
      if (at >= 0) last.reads.splice(at, 1);
      if (last.write === undefined && last.reads.length === 0) this.#last.delete(key);
    }
  }
}
