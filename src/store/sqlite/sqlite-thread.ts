/** The main thread's side of the sqlite worker: one request at a time, and failures as MESH_STORE_BROKEN. */
import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { MeshError } from '../../model/error.ts';
import type { TxnJudgement } from '../ledger.ts';
import type { SqliteFailure } from './sqlite-failure.ts';
import type { StoreOpening } from './sqlite-file.ts';
import type { OpenedFile, SqliteOpening, SqliteReply, SqliteRequest, SqliteWorkerData } from './sqlite-worker.ts';

const WORKER = new URL(`./sqlite-worker${extname(import.meta.url)}`, import.meta.url);

const ENDING = 'its thread ended';

/** A worker thread with an open store file. */
export class SqliteThread {
  readonly #path: string;
  readonly #worker: Worker;
  #answer: PromiseWithResolvers<SqliteReply> | undefined;
  #ended: SqliteFailure | undefined;

  private constructor(path: string, worker: Worker) {
    this.#path = path;
    this.#worker = worker;
    worker.on('message', (reply: SqliteReply) => this.#take(reply));
    worker.on('error', (error) => this.#end(MeshError.from(error).message));
    worker.on('exit', () => this.#end(ENDING));
  }

  /**
   * Starts the thread and opens the file.
   * @throws MESH_STORE_BROKEN; the thread has ended then
   */
  static async open(path: string, opening?: StoreOpening): Promise<OpenedFile & { readonly thread: SqliteThread }> {
    const worker = new Worker(WORKER, { workerData: { path, ...(opening && { opening }) } satisfies SqliteWorkerData });
    const [outcome] = (await once(worker, 'message')) as [SqliteOpening];
    if ('opened' in outcome) return { thread: new SqliteThread(path, worker), ...outcome.opened };
    await worker.terminate();
    throw new StoreFault(path, 'open store', outcome);
  }

  /** Whether the thread has ended, so that nothing can be written any more. */
  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * Writes a judgement; durable when it resolves.
   * @throws MESH_STORE_BROKEN; nothing was written then
   */
  async commit({ batches, compacted }: TxnJudgement): Promise<void> {
    const reply = await this.#ask({ commit: { batches, compacted } });
    if ('failed' in reply) throw new StoreFault(this.#path, 'write store', reply);
  }

  /**
   * Closes the file and ends the thread.
   * @throws MESH_STORE_BROKEN; the thread has ended nevertheless
   */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    const exit = once(this.#worker, 'exit');
    const reply = await this.#ask({ close: true });
    if ('failed' in reply) await this.#worker.terminate();
    await exit;
    if ('failed' in reply) throw new StoreFault(this.#path, 'close store', reply);
  }

  #ask(request: SqliteRequest): Promise<SqliteReply> {
    if (this.#ended !== undefined) return Promise.resolve(this.#ended);
    this.#answer = Promise.withResolvers();
    this.#worker.postMessage(request);
    return this.#answer.promise;
  }

  #take(reply: SqliteReply): void {
    this.#answer?.resolve(reply);
    this.#answer = undefined;
  }

  #end(reason: string): void {
    this.#ended ??= { failed: reason, code: 0 };
    this.#take(this.#ended);
  }
}

/** MESH_STORE_BROKEN, with what is wrong with the file itself. */
export class StoreFault extends MeshError {
  /** Absent when the system refused a call. */
  readonly file: SqliteFailure['file'];

  constructor(path: string, operation: string, { failed, code, file }: SqliteFailure) {
    const help = file === 'later' ? LATER : failed === ENDING ? ENDED : (FAULTS[code] ?? DAMAGED);
    super('MESH_STORE_BROKEN', `${path}: ${failed}`, { operation, object: path, ...help });
    this.file = file;
  }
}

/** Remedies by sqlite's primary result codes. */
const FAULTS: Readonly<Record<number, { rule?: string; remedy: string; retryable?: boolean }>> = {
  // SQLITE_BUSY
  5: {
    rule: 'One process at a time uses a store.',
    remedy: 'Stop the other host0, or give this one another root',
    retryable: true,
  },
  // SQLITE_READONLY
  8: { remedy: 'Mount the disk for writing, and let root write the file' },
  // SQLITE_IOERR
  10: { remedy: "Read the kernel's messages about the disk (dmesg)", retryable: true },
  // SQLITE_FULL
  13: { remedy: 'Make room on the disk', retryable: true },
  // SQLITE_CANTOPEN
  14: { remedy: 'Let root write the file and its directory' },
};

const DAMAGED = {
  remedy: 'Restore the file from a backup, or move it away: a new store has a new epoch, and all members report again',
};

const ENDED = { remedy: 'Restart host0' };

const LATER = { remedy: 'Install the later version of Meshwork again, or move the file away' };
