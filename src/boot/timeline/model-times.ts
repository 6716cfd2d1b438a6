/**
 * How long the boots of each model were silent for, which host0 learns from those that came through: one record for each
 * model in the store, `/v1/boot-times/<hash>`, written when such a boot is over and told something new.
 */
import { isDeepStrictEqual } from 'node:util';
import { genid } from '../../model/genid.ts';
import type { Store } from '../../store/store.ts';
import { isTelling, type Silences, WAITS, type Wait } from './own-time.ts';

const PREFIX = '/v1/boot-times/';
/** Models are named by machines themselves: of more than a large site has, the one that was heard of longest ago goes. */
export const MODELS_MAX = 256;
/** What firmware did before the last so many boots was another version of it. */
const BOOTS_MAX = 8;
/** As exactly as it matters: the same machine in the same time is nothing new. */
const STEP_MS = 500;

interface ModelRecord {
  readonly model: string;
  readonly silences: Silences;
}

export class ModelTimes {
  readonly #store: Store;
  /** By key; those that were changed last come last. */
  readonly #records: Map<string, ModelRecord>;

  private constructor(store: Store, records: Map<string, ModelRecord>) {
    this.#store = store;
    this.#records = records;
  }

  /** A record that is damaged is left out, and made anew. */
  static async open(store: Store): Promise<ModelTimes> {
    const { entries } = await store.range(PREFIX);
    const inOrder = entries.toSorted((a, b) => a.modRevision - b.modRevision);
    const records = inOrder.flatMap(({ key, value }) => {
      const record = parseRecord(value);
      return record === undefined || keyOf(record.model) !== key ? [] : [[key, record] as const];
    });
    return new ModelTimes(store, new Map(records));
  }

  get size(): number {
    return this.#records.size;
  }

  silencesOf(model: string): Silences | undefined {
    return this.#records.get(keyOf(model))?.silences;
  }

  /** Takes up the longest silences of a boot that came through. Resolves when that is durable, or cannot be. */
  async learn(model: string, longest: Readonly<Partial<Record<Wait, number>>>): Promise<void> {
    const key = keyOf(model);
    const before = this.#records.get(key)?.silences ?? {};
    const silences: Silences = Object.fromEntries(
      WAITS.flatMap((wait) => {
        const [seen = [], silenceMs] = [before[wait], longest[wait]];
        if (silenceMs === undefined || !isTelling(wait, silenceMs)) return seen.length === 0 ? [] : [[wait, seen]];
        return [[wait, [...seen, Math.ceil(silenceMs / STEP_MS) * STEP_MS].slice(-BOOTS_MAX)]];
      }),
    );
    if (isDeepStrictEqual(silences, before)) return;
    const record: ModelRecord = { model, silences };
    this.#records.delete(key);
    this.#records.set(key, record);
    const over = [...this.#records.keys()].slice(0, Math.max(0, this.#records.size - MODELS_MAX));
    for (const old of over) this.#records.delete(old);
    const changes = [{ put: key, value: JSON.stringify(record) }, ...over.map((old) => ({ delete: old }))];
    // A disk that is full takes the machine's own record neither, which is told; this one comes with a later boot.
    await this.#store.txn([], changes).catch(() => undefined);
  }
}

/** Whatever a machine calls itself, its key is short and plain. */
function keyOf(model: string): string {
  return PREFIX + genid(['boot times', model], 16);
}

function parseRecord(value: string): ModelRecord | undefined {
  try {
    const { model, silences } = JSON.parse(value) as { readonly model: unknown; readonly silences: unknown };
    if (typeof model !== 'string') return undefined;
    const seen = Object(silences) as Readonly<Record<string, unknown>>;
    const known = WAITS.flatMap((wait) => {
      const times = seen[wait];
      const whole = Array.isArray(times) && times.every((ms) => Number.isSafeInteger(ms) && isTelling(wait, ms));
      return whole ? [[wait, times.slice(-BOOTS_MAX)]] : [];
    });
    return { model, silences: Object.fromEntries(known) as Silences };
  } catch {
    return undefined;
  }
}
