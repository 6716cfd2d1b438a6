/**
 * How long the boots of each model are silent, learned from boots that succeeded. The store has one record per model,
 * `/v1/boot-times/<hash>`, which is written after a successful boot that told something new.
 */

import { isDeepStrictEqual } from 'node:util';
import { genid } from '../../model/genid.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import type { Store } from '../../store/store.ts';
import { isTelling, type Silences, WAITS, type Wait } from './own-time.ts';

const PREFIX = '/v1/boot-times/';
/**
 * How many models are kept: more than a large site has. Machines name their models themselves, so the number is limited; the
 * model that was heard of longest ago is dropped.
 */
export const MODELS_MAX = 256;
/** How many boots of a model count. Older ones may have run another version of the firmware. */
const BOOTS_MAX = 8;
/** Silences are rounded up to this, so that the same machine in about the same time tells nothing new. */
const STEP_MS = 500;

interface ModelRecord {
  readonly model: string;
  readonly silences: Silences;
}

const RECORD_MAX_LENGTH = 64 * 1024;
/** Times that are spoilt are left out, as if no boot had been seen. */
const Times: form.Shape<number[] | undefined> = form.otherwise(form.listOf(form.int(), 1_000), undefined);
const NO_TIMES: Readonly<Record<string, number[] | undefined>> = {};
const ModelRecordShape = form.object({
  model: form.string(),
  silences: form.otherwise(form.recordOf(form.string(), Times, 100), NO_TIMES),
});

/** The learned silences of all models. */
export class ModelTimes {
  readonly #store: Store;
  /** By key; the record that was changed last is at the end. */
  readonly #records: Map<string, ModelRecord>;

  private constructor(store: Store, records: Map<string, ModelRecord>) {
    this.#store = store;
    this.#records = records;
  }

  /** Reads the records. A damaged record is left out; a later boot replaces it. @throws if the store cannot be read */
  static async open(store: Store): Promise<ModelTimes> {
    const { entries } = await store.range(PREFIX);
    const inOrder = entries.toSorted((a, b) => a.modRevision - b.modRevision);
    const records = inOrder.flatMap(({ key, value }) => {
      const record = parseRecord(value);
      return record === undefined || keyOf(record.model) !== key ? [] : [[key, record] as const];
    });
    return new ModelTimes(store, new Map(records));
  }

  /** How many models are known. */
  get size(): number {
    return this.#records.size;
  }

  /** What is known of a model. */
  silencesOf(model: string): Silences | undefined {
    return this.#records.get(keyOf(model))?.silences;
  }

  /**
   * Adds the longest silences of a successful boot, in milliseconds. Resolves when that is durable, or when it turns out that
   * it cannot be made so.
   */
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
    // On a full disk the record of the attempt fails, too, and is reported. This record is written after a later boot.
    await this.#store.txn([], changes).catch(() => undefined);
  }
}

/** A hash, because a machine may name any text as its model. */
function keyOf(model: string): string {
  return PREFIX + genid(['boot times', model], 16);
}

function parseRecord(value: string): ModelRecord | undefined {
  const { document } = readDocument(ModelRecordShape, value, RECORD_MAX_LENGTH);
  if (document === undefined) return undefined;
  const { model, silences: seen } = document;
  const silences: Silences = Object.fromEntries(
    WAITS.flatMap((wait) => {
      const times = seen[wait];
      return times?.every((ms) => isTelling(wait, ms)) ? [[wait, times.slice(-BOOTS_MAX)]] : [];
    }),
  );
  return { model, silences };
}
