/** The sqlite file of a ledger: read as a whole when it is opened, then written one group of batches at a time. */
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, openSync, statSync } from 'node:fs';
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import type { LedgerImage, TxnJudgement } from '../ledger.ts';
import type { Entry, WatchBatch } from '../store.ts';
import { RowDigest } from './row-digest.ts';
import { DamagedFile, LaterFile } from './sqlite-failure.ts';

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

/**
 * The checksum of the entries (row-digest.ts) as of a revision. An earlier version of Meshwork does not know the table: when it
 * has written to the file, the revision of the table is lower than that of the store, and nothing can be checked.
 */
const SEAL = `
  CREATE TABLE IF NOT EXISTS seal (
    only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER NOT NULL, digest TEXT NOT NULL
  ) STRICT;
`;

/**
 * Where the store is, and who opened it last. A store that comes from elsewhere (a backup, a copy, another machine) gets another
 * epoch: what nodes have beyond its history must not be taken for what an administrator has deleted. An earlier version of
 * Meshwork does not know the table.
 */
const ORIGIN = `
  CREATE TABLE IF NOT EXISTS origin (
    only INTEGER PRIMARY KEY CHECK (only = 1), opening TEXT NOT NULL, inode TEXT NOT NULL
  ) STRICT;
`;

/** How a store is told from a copy of itself: by random words, of which the store and a file beside it have the same one. */
export interface StoreOpening {
  /** The words that the store may have. Absent: any, because the file beside it was lost. */
  readonly accepted?: readonly string[];
  /** The word from now on. */
  readonly next: string;
}

type Row = Record<string, SQLOutputValue>;

/** Synchronous access to the file; used only in the worker thread. */
export class SqliteFile {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements: Readonly<Record<'get' | 'put' | 'delete' | 'remember' | 'forget' | 'advance', StatementSync>>;
  /** Of the entries that are in the file. */
  #digest = new RowDigest();

  /**
   * Opens or makes the file, and locks it against every other process until it is closed.
   * @throws DamagedFile, also for a database of another program; LaterFile; an error of sqlite
   */
  constructor(path: string) {
    makePrivate(path);
    this.#path = path;
    this.#database = new DatabaseSync(path, { timeout: 0 });
    try {
      // Exclusive mode first: the index of the WAL is then in our memory, and the lock is held from the first read on.
      this.#database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
      this.#database.exec('BEGIN IMMEDIATE');
      this.#prepareSchema();
      this.#database.exec('COMMIT');
      this.#statements = {
        get: this.#database.prepare('SELECT key, value, create_revision, mod_revision FROM entries WHERE key = ?'),
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

  /** The epoch and all contents. @throws DamagedFile if they are not as they were written */
  read(): { epoch: string; image: LedgerImage } {
    const [meta] = this.#rows('SELECT epoch, revision, compacted FROM meta');
    if (meta === undefined) throw new DamagedFile('it has no epoch');
    const rows = this.#rows('SELECT key, value, create_revision, mod_revision FROM entries');
    const entries = rows.map((row) => entryOf(row, Number(row.mod_revision)));
    for (const entry of entries) this.#digest.toggle(entry);
    const [revision, compacted] = [Number(meta.revision), Number(meta.compacted)];
    const history = this.#history();
    const isWhole = history.length === revision - compacted && history[0]?.revision === compacted + 1;
    this.#check(revision, revision === compacted || isWhole);
    const epoch = String(meta.epoch);
    // Without its history, the store is as after a restart of which no watch knows: readers read the entries again.
    if (!isWhole) return { epoch, image: { revision, compacted: revision, entries, history: [] } };
    return { epoch, image: { revision, compacted, entries, history } };
  }

  /**
   * Gives the store another epoch if it comes from elsewhere, and notes where it is now. Must be called after `read`.
   * @returns the new epoch; undefined if the store is the one that was here
   */
  claim({ accepted, next }: StoreOpening): string | undefined {
    const [origin] = this.#hasTable('origin') ? this.#rows('SELECT opening, inode FROM origin') : [];
    const inode = String(statSync(this.#path, { bigint: true }).ino);
    const isForeign = accepted !== undefined && !accepted.includes(String(origin?.opening));
    const epoch =
      origin !== undefined && (isForeign || origin.inode !== inode) ? randomBytes(8).toString('hex') : undefined;
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      this.#database.exec(ORIGIN);
      if (epoch !== undefined) this.#database.prepare('UPDATE meta SET epoch = ?').run(epoch);
      this.#database.prepare('INSERT OR REPLACE INTO origin VALUES (1, ?, ?)').run(next, inode);
      this.#database.exec('COMMIT');
    } catch {
      // The disk is full. The next start finds the store as it was, and gives a store from elsewhere yet another epoch.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    }
    return epoch;
  }

  /** Compares the entries with the checksum, and writes one into a file of an earlier version. */
  #check(revision: number, hasHistory: boolean): void {
    const [seal] = this.#hasTable('seal') ? this.#rows('SELECT revision, digest FROM seal') : [];
    const sealed = Number(seal?.revision ?? 0);
    if (seal !== undefined && sealed === revision) {
      if (seal.digest === this.#digest.toString()) return;
      throw new DamagedFile('it is damaged: its checksum is not that of its entries');
    }
    // An earlier version of Meshwork leaves the history of what it wrote.
    if (sealed > revision || !hasHistory) throw new DamagedFile(`it is damaged: it has no history up to ${revision}`);
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      this.#seal(revision);
      this.#database.exec('COMMIT');
    } catch {
      // The disk is full. The first commit writes the checksum.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    }
  }

  #hasTable(name: 'seal' | 'origin'): boolean {
    return this.#rows(`SELECT 1 FROM sqlite_schema WHERE name = '${name}'`).length > 0;
  }

  #seal(revision: number): void {
    this.#database.exec(SEAL);
    this.#database.prepare('INSERT OR REPLACE INTO seal VALUES (1, ?, ?)').run(revision, this.#digest.toString());
  }

  /** Writes batches in one sqlite transaction: all or nothing; durable when it returns. */
  commit({ batches, compacted }: Pick<TxnJudgement, 'batches' | 'compacted'>): void {
    const before = this.#digest.toString();
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const batch of batches) this.#write(batch);
      this.#statements.forget.run(compacted);
      const revision = batches.at(-1)?.revision ?? 0;
      this.#statements.advance.run(revision, compacted);
      this.#seal(revision);
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#digest = new RowDigest(before);
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  #write({ revision, changes }: WatchBatch): void {
    for (const [position, change] of changes.entries()) {
      const [before] = this.#statements.get.all('put' in change ? change.put.key : change.delete);
      if (before !== undefined) this.#digest.toggle(entryOf(before, Number(before.mod_revision)));
      if ('put' in change) {
        this.#digest.toggle(change.put);
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
      // A power cut right after the file was made leaves one page.
      if (Number(this.#pragma('page_count')) > 1) throw new DamagedFile('it is damaged: it has no tables');
      this.#database.exec(SCHEMA);
      this.#seal(0);
      this.#database.prepare('INSERT INTO meta VALUES (1, ?, 0, 0)').run(randomBytes(8).toString('hex'));
      return;
    }
    if (id !== APPLICATION_ID) throw new DamagedFile('it is a database of another program');
    const format = Number(this.#pragma('user_version'));
    if (format > FORMAT) throw new LaterFile(`it has format ${format}, and this version knows format ${FORMAT}`);
    if (format !== FORMAT) throw new DamagedFile(`it is damaged: it has format ${format}`);
    const verdict = this.#pragma('quick_check');
    if (verdict !== 'ok') throw new DamagedFile(`it is damaged: ${String(verdict).replaceAll('\n', ' ')}`);
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
