/** Boots under way in the store, one record for each machine: `/v1/boots/<machine>`. A machine's next boot replaces it. */
import { rm, stat } from 'node:fs/promises';
import { writeDurable } from '../../disk/durable-file.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { parseMachineId } from '../../model/machine.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Change, Store } from '../../store/store.ts';
import { ATTEMPT_LIFE_MS, type Attempt, type AttemptKeeper, Attempts } from './attempts.ts';

const PREFIX = '/v1/boots/';

export interface AttemptRecordsInput {
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: Journal;
  /**
   * A file that is there while the records say of every token whether it was spent. A full disk takes no record, but it
   * can always lose a file: without it, what was kept gives no secrets.
   */
  readonly seal: string;
}

export class AttemptRecords implements AttemptKeeper {
  readonly #input: AttemptRecordsInput;
  /** The last one could not be written, and that was told. */
  #refused = false;
  /** Set while the seal is there, or being made. */
  #sealed: Promise<void> | undefined;
  /** Some record in the store may be wrong about its token. */
  #inDoubt = false;

  private constructor(input: AttemptRecordsInput) {
    this.#input = input;
  }

  /** The boots that were under way when this process last ran; what is over, or damaged, is removed. */
  static async load(input: AttemptRecordsInput): Promise<Attempts> {
    const { store, clock, seal } = input;
    const records = new AttemptRecords(input);
    const sealed = await stat(seal).then(
      () => true,
      () => false,
    );
    const { entries } = await store.range(PREFIX);
    const found = entries.map(({ key, value }) => ({ key, attempt: records.#parse(value) }));
    const attempts = found.flatMap(({ attempt }) => attempt ?? []).sort((a, b) => a.startedMs - b.startedMs);
    const known = sealed ? attempts : attempts.map((attempt) => ({ ...attempt, spent: true }));
    const over = found.flatMap(({ key, attempt }) => (attempt === undefined ? [{ delete: key }] : []));
    const doubtful = sealed ? [] : known.map((attempt) => records.#put(attempt));
    if (sealed) records.#sealed = Promise.resolve();
    try {
      if (over.length + doubtful.length > 0) await store.txn([], [...over, ...doubtful]);
    } catch {
      // A full disk: another time.
      records.#inDoubt = !sealed;
    }
    return new Attempts(clock, records, known);
  }

  /** A full disk keeps no machine from booting: its boot is only not known to the next life of this process. */
  async keep(attempt: Attempt, over: readonly Attempt[]): Promise<void> {
    const { store, journal, seal } = this.#input;
    try {
      if (!this.#inDoubt) await this.#setSeal();
      await store.txn([], [this.#put(attempt), ...over.map(({ machine }) => ({ delete: PREFIX + machine }))]);
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
        message: `boots go on, and would have to begin anew if host0's daemon ended now: ${message}`,
        object: attempt.machine,
        code,
        remedy: 'Make room on the disk.',
      });
    }
  }

  /** Once. Without it, what is written now gives no secrets in a next life. */
  #setSeal(): Promise<void> {
    this.#sealed ??= writeDurable(this.#input.seal, '').catch(() => {
      this.#sealed = undefined;
    });
    return this.#sealed;
  }

  #put(attempt: Attempt): Change {
    const { clock } = this.#input;
    const { startedMs, ...rest } = attempt;
    const ageMs = clock.nowMs() - startedMs;
    const startedAt = new Date(clock.wallTime().getTime() - ageMs).toISOString();
    return { put: PREFIX + attempt.machine, value: JSON.stringify({ ...rest, startedAt }) };
  }

  /** @returns undefined for one that is over, or is none */
  #parse(value: string): Attempt | undefined {
    const { clock } = this.#input;
    try {
      const record = JSON.parse(value) as Readonly<Record<string, unknown>>;
      const ageMs = clock.wallTime().getTime() - Date.parse(String(record.startedAt));
      if (!(ageMs <= ATTEMPT_LIFE_MS)) return undefined;
      return {
        id: String(record.id),
        tokenHash: String(record.tokenHash),
        // What cannot be read gives no secrets.
        spent: record.spent !== false,
        machine: parseMachineId(String(record.machine)),
        mac: parseMac(String(record.mac)),
        ipv4: parseIpv4(String(record.ipv4)),
        device: String(record.device),
        overlay: String(record.overlay),
        // A clock that was set back makes none of them older or younger than now.
        startedMs: clock.nowMs() - Math.max(0, ageMs),
        turn: Number.isSafeInteger(record.turn) ? Number(record.turn) : 1,
      };
    } catch {
      return undefined;
    }
  }
}
