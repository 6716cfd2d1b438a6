/**
 * How long the boots of each model are silent, learned from boots that succeeded. The store has one record per model,
 * `/v1/boot-times/<hash>`, which is written after a successful boot that told something new.
 */

import { isDeepStrictEqual } from 'node:util';
import { genid } from '../../model/genid.ts';
import * as form from '../../protocol/shapes/form.ts';
import { Collection, jsonRecords, type RecordForm } from '../../store/collection.ts';
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

const MODEL_RECORDS: RecordForm<ModelRecord> = jsonRecords(
  PREFIX,
  ({ model }) => nameOf(model),
  form.mapped(ModelRecordShape, ({ model, silences }) => ({ model, silences: tellingSilences(silences) })),
  RECORD_MAX_LENGTH,
);

/** The learned silences of all models. */
export class ModelTimes {
  readonly #collection: Collection<ModelRecord>;
  /** By name in the store; the record that was changed last is at the end. */
  readonly #records: Map<string, ModelRecord>;

  private constructor(collection: Collection<ModelRecord>, records: Map<string, ModelRecord>) {
    this.#collection = collection;
    this.#records = records;
  }

  /** Reads the records. A damaged record is left out; a later boot replaces it. @throws if the store cannot be read */
  static async open(store: Store): Promise<ModelTimes> {
    const collection = new Collection(store, MODEL_RECORDS);
    const { records } = await collection.list();
    const inOrder = records.toSorted((a, b) => a.modRevision - b.modRevision);
    return new ModelTimes(collection, new Map(inOrder.map(({ record }) => [nameOf(record.model), record])));
  }

  /** How many models are known. */
  get size(): number {
    return this.#records.size;
  }

  /** What is known of a model. */
  silencesOf(model: string): Silences | undefined {
    return this.#records.get(nameOf(model))?.silences;
  }

  /**
   * Adds the longest silences of a successful boot, in milliseconds. Resolves when that is durable, or when it turns out that
   * it cannot be made so.
   */
  async learn(model: string, longest: Readonly<Partial<Record<Wait, number>>>): Promise<void> {
    const name = nameOf(model);
    const before = this.#records.get(name)?.silences ?? {};
    const silences: Silences = Object.fromEntries(
      WAITS.flatMap((wait) => {
        const [seen = [], silenceMs] = [before[wait], longest[wait]];
        if (silenceMs === undefined || !isTelling(wait, silenceMs)) return seen.length === 0 ? [] : [[wait, seen]];
        return [[wait, [...seen, Math.ceil(silenceMs / STEP_MS) * STEP_MS].slice(-BOOTS_MAX)]];
      }),
    );
    if (isDeepStrictEqual(silences, before)) return;
    const record: ModelRecord = { model, silences };
    this.#records.delete(name);
    this.#records.set(name, record);
    const over = [...this.#records.keys()].slice(0, Math.max(0, this.#records.size - MODELS_MAX));
    for (const old of over) this.#records.delete(old);
    const changes = [this.#collection.put(record), ...over.map((old) => this.#collection.remove(old))];
    // On a full disk the record of the attempt fails, too, and is reported. This record is written after a later boot.
    await this.#collection.store.txn([], changes).catch(() => undefined);
  }
}

/** A record's name is a hash, because a machine may name any text as its model. */
function nameOf(model: string): string {
  return genid(['boot times', model], 16);
}

/** Leaves out waits whose times cannot be true. */
function tellingSilences(seen: Readonly<Record<string, number[] | undefined>>): Silences {
  return Object.fromEntries(
    WAITS.flatMap((wait) => {
      const times = seen[wait];
      return times?.every((ms) => isTelling(wait, ms)) ? [[wait, times.slice(-BOOTS_MAX)]] : [];
    }),
  );
}
