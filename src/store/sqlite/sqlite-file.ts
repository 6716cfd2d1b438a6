/** The sqlite file of a ledger: read as a whole when it is opened, then written one group of batches at a time. */
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import type { LedgerImage, TxnJudgement } from '../ledger.ts';
import type { Entry, WatchBatch } from '../store.ts';

/** Marks the file as ours (`PRAGMA application_id`): "mesh". */
const APPLICATION_ID = 0x6d657368;
const FORMAT = 1;

const SCHEMA = `
  CREATE TABLE entries (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, create_revision INTEGER NOT NULL, mod_revision INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- One row for each change; a deletion has no value.
  CREATE TABLE history (
    revision INTEGER NOT NULL, position INTEGER NOT NULL, key TEXT NOT NULL, value TEXT, create_revision INTEGER,
    PRIMARY KEY (revision, position)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE meta (
    only INTEGER PRIMARY KEY CHECK (only = 1), epoch TEXT NOT NULL, revision INTEGER NOT NULL, compacted INTEGER NOT NULL
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

type Row = Record<string, SQLOutputValue>;

/** Synchronous access to the file; used only in the worker thread. */
export class SqliteFile {
  readonly #database: DatabaseSync;
  readonly #statements: Readonly<Record<'put' | 'delete' | 'remember' | 'forget' | 'advance', StatementSync>>;

  /**
   * Opens or makes the file, and locks it against every other process until it is closed.
   * @throws an error of sqlite, or a plain Error when the file is damaged or belongs to another program
   */
  constructor(path: string) {
    makePrivate(path);
    this.#database = new DatabaseSync(path, { timeout: 0 });
    try {
      // Exclusive mode first: the index of the WAL is then in our memory, and the lock is held from the first read on.
      this.#database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
      this.#database.exec('BEGIN IMMEDIATE');
      this.#prepareSchema();
      this.#database.exec('COMMIT');
      this.#statements = {
        put: this.#database.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)'),
        delete: this.#database.prepare('DELETE FROM entries WHERE key = ?'),
        remember: this.#database.prepare('INSERT INTO history VALUES (?, ?, ?, ?, ?)'),
        forget: this.#database.prepare('DELETE FROM history WHERE revision <= ?'),
        advance: this.#database.prepare('UPDATE meta SET revision = ?, compacted = ?'),
      };
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** The epoch and all contents. */
  read(): { epoch: string; image: LedgerImage } {
    const meta = this.#rows('SELECT epoch, revision, compacted FROM meta')[0] ?? {};
    const entries = this.#rows('SELECT key, value, create_revision, mod_revision FROM entries');
    const compacted = Number(meta.compacted);
    return {
      epoch: String(meta.epoch),
      image: {
        revision: Number(meta.revision),
        compacted,
        entries: entries.map((row) => entryOf(row, Number(row.mod_revision))),
        history: this.#history(),
      },
    };
  }

  /** Writes batches in one sqlite transaction: all or nothing; durable when it returns. */
  commit({ batches, compacted }: Pick<TxnJudgement, 'batches' | 'compacted'>): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const batch of batches) this.#write(batch);
      this.#statements.forget.run(compacted);
      this.#statements.advance.run(batches.at(-1)?.revision ?? 0, compacted);
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  #write({ revision, changes }: WatchBatch): void {
    for (const [position, change] of changes.entries()) {
      if ('put' in change) {
        const { key, value, createRevision, modRevision } = change.put;
        this.#statements.put.run(key, value, createRevision, modRevision);
        this.#statements.remember.run(revision, position, key, value, createRevision);
      } else {
        this.#statements.delete.run(change.delete);
        this.#statements.remember.run(revision, position, change.delete, null, null);
      }
    }
  }

  /** Makes the tables of a new file, or checks the format and pages of an existing one. */
  #prepareSchema(): void {
    const id = this.#pragma('application_id');
    const empty = this.#rows('SELECT 1 FROM sqlite_schema LIMIT 1').length === 0;
    if (empty && id === 0) {
      this.#database.exec(SCHEMA);
      this.#database.prepare('INSERT INTO meta VALUES (1, ?, 0, 0)').run(randomBytes(8).toString('hex'));
      return;
    }
    if (id !== APPLICATION_ID) throw new Error('it is a database of another program');
    const format = this.#pragma('user_version');
    if (format !== FORMAT) throw new Error(`it has format ${format}, and this program knows format ${FORMAT}`);
    const verdict = this.#pragma('quick_check');
    if (verdict !== 'ok') throw new Error(`it is damaged: ${verdict}`);
  }

  #pragma(name: string): SQLOutputValue | undefined {
    return Object.values(this.#rows(`PRAGMA ${name}`)[0] ?? {})[0];
  }

  #history(): WatchBatch[] {
    const rows = this.#rows('SELECT revision, key, value, create_revision FROM history ORDER BY revision, position');
    const batches = Map.groupBy(rows, (row) => Number(row.revision));
    return Array.from(batches, ([revision, changes]) => ({
      revision,
      changes: changes.map((row) =>
        row.value === null ? { delete: String(row.key) } : { put: entryOf(row, revision) },
      ),
    }));
  }

  #rows(sql: string): Row[] {
    return this.#database.prepare(sql).all();
  }
}

function entryOf(row: Row, modRevision: number): Entry {
  return { key: String(row.key), value: String(row.value), createRevision: Number(row.create_revision), modRevision };
}

/** Names, addresses and machine ids are for root and its group. sqlite gives its other files the permissions of this one. */
const FILE_MODE = 0o640;

function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'a', FILE_MODE));
    for (const file of [path, `${path}-wal`]) chmodSync(file, FILE_MODE);
  } catch {
    // There is no WAL, or sqlite tells better why the file cannot be opened.
  }
}
