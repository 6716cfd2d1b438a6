/** The boots under way in the store, one record per machine: `/v1/boots/<machine>`. The next boot replaces the record. */

import { rm, stat } from 'node:fs/promises';
import { writeDurable } from '../../disk/durable-file.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import * as form from '../../protocol/shapes/form.ts';
import { Ipv4Shape, MachineIdShape, MacShape, TimeShape } from '../../protocol/shapes/parts.ts';
import { Collection, jsonRecords, type RecordForm } from '../../store/collection.ts';
import type { Store } from '../../store/store.ts';
import { ATTEMPT_LIFE_MS, type Attempt, type AttemptKeeper, Attempts } from './attempts.ts';

const PREFIX = '/v1/boots/';

const RECORD_MAX_LENGTH = 64 * 1024;
const AttemptRecordShape = form.object({
  id: form.string({ pattern: /^[0-9a-f]{1,32}$/ }),
  tokenHash: form.string({ max: 64 }),
  // Only a record that clearly says `false` gives secrets.
  spent: form.otherwise(form.boolean(), true),
  machine: MachineIdShape,
  mac: MacShape,
  ipv4: Ipv4Shape,
  device: form.string(),
  overlay: form.string(),
  startedAt: TimeShape,
  turn: form.otherwise(form.int(), 1),
});

/** What the records need. */
export interface AttemptRecordsInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  /**
   * The path of a file that exists while the records are right about which tokens are spent. On a full disk no record can
   * be written, but a file can always be removed. If the file is missing when records are loaded, none of their tokens is
   * worth secrets.
   */
  readonly seal: string;
}

/** Keeps attempts in the store, so that they survive a restart of host0's daemon. */
export class AttemptRecords implements AttemptKeeper {
  readonly #input: AttemptRecordsInput;
  readonly #collection: Collection<Attempt>;
  /** The last record could not be written, and the journal says so. */
  #refused = false;
  /** Set while the seal exists, or while it is being written. */
  #sealed: Promise<void> | undefined;
  /** Some record in the store may still have a token as unspent that was spent. */
  #inDoubt = false;

  private constructor(input: AttemptRecordsInput) {
    this.#input = input;
    this.#collection = new Collection(input.store, attemptForm(input.clock));
  }

  /**
   * Loads the boots that were under way when this process last ran. Records that are too old or damaged are removed.
   * @throws if the store cannot be read
   */
  static async load(input: AttemptRecordsInput): Promise<Attempts> {
    const { store, clock, seal } = input;
    const records = new AttemptRecords(input);
    const sealed = await stat(seal).then(
      () => true,
      () => false,
    );
    const { records: found, spoilt } = await records.#collection.list();
    const attempts = found.map(({ record }) => record).sort((a, b) => a.startedMs - b.startedMs);
    const known = sealed ? attempts : attempts.map((attempt) => ({ ...attempt, spent: true }));
    const over = spoilt.map((name) => records.#collection.remove(name));
    const doubtful = sealed ? [] : known.map((attempt) => records.#collection.put(attempt));
    if (sealed) records.#sealed = Promise.resolve();
    try {
      if (over.length + doubtful.length > 0) await store.txn([], [...over, ...doubtful]);
    } catch {
      // The disk is full. The records are corrected at a later start.
      records.#inDoubt = !sealed;
    }
    return new Attempts(clock, records, known);
  }

  /** Writes a record. On a full disk the machine boots all the same, but a restarted daemon will not know of the boot. */
  async keep(attempt: Attempt, over: readonly Attempt[]): Promise<void> {
    const { store, journal, seal } = this.#input;
    try {
      if (!this.#inDoubt) await this.#setSeal();
      await store.txn(
        [],
        [this.#collection.put(attempt), ...over.map(({ machine }) => this.#collection.remove(machine))],
      );
      this.#refused = false;
    } catch (thrown) {
      if (attempt.spent) {
        this.#inDoubt = true;
        await this.#sealed;
        await rm(seal, { force: true }).catch(() => {});
      }
      if (this.#refused) return;
      this.#refused = true;
      const { code, message } = MeshError.from(thrown);
      journal.record({
        level: 'warning',
        kind: 'boot not recorded',
        message: `machines go on booting, but would have to boot again if host0's daemon restarted now: ${message}`,
        object: attempt.machine,
        code,
        remedy: 'Make room on the disk.',
      });
    }
  }

  /** Makes the seal, once. If that fails, the tokens of the records that are written now are worth nothing after a restart. */
  #setSeal(): Promise<void> {
    this.#sealed ??= writeDurable(this.#input.seal, '').catch(() => {
      this.#sealed = undefined;
    });
    return this.#sealed;
  }
}

/** The form of attempts in the store. A record that is too old or damaged is none. */
function attemptForm(clock: Clock): RecordForm<Attempt> {
  const { parse } = jsonRecords(PREFIX, ({ machine }) => machine, AttemptRecordShape, RECORD_MAX_LENGTH);
  return {
    prefix: PREFIX,
    nameOf: ({ machine }) => machine,
    parse: (value) => {
      const document = parse(value);
      if (document === undefined) return undefined;
      const { startedAt, ...attempt } = document;
      const ageMs = clock.wallTime().getTime() - Date.parse(startedAt);
      if (!(ageMs <= ATTEMPT_LIFE_MS)) return undefined;
      // If the clock was set back, the age is negative: the attempt counts as started now.
      return { ...attempt, startedMs: clock.nowMs() - Math.max(0, ageMs) };
    },
    print: ({ startedMs, ...rest }) => {
      const ageMs = clock.nowMs() - startedMs;
      const startedAt = new Date(clock.wallTime().getTime() - ageMs).toISOString();
      return JSON.stringify({ ...rest, startedAt });
    },
  };
}
