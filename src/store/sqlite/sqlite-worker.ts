/** The worker thread that waits for the disk, so that the main thread never does. */
import { parentPort, workerData } from 'node:worker_threads';
import type { LedgerImage, TxnJudgement } from '../ledger.ts';
import { DamagedFile, LaterFile, SqliteFile } from './sqlite-file.ts';

/** `workerData` of the thread: the path of the file. */
export interface SqliteWorkerData {
  readonly path: string;
}

/**
 * A failure: the message, and the primary result code of sqlite (sqlite.org/rescode.html); 0 when the error came from
 * elsewhere.
 */
export interface SqliteFailure {
  readonly failed: string;
  readonly code: number;
  /** What is wrong with the file itself. Absent when the system refused a call. */
  readonly file?: 'damaged' | 'later';
}

/** The first message of the worker: the contents of the file, or why it cannot be opened. */
export type SqliteOpening =
  | { readonly opened: { readonly epoch: string; readonly image: LedgerImage } }
  | SqliteFailure;

/** A request. Each gets one reply, and the next is sent only after the reply. The worker ends after `close`. */
export type SqliteRequest = { readonly commit: Pick<TxnJudgement, 'batches' | 'compacted'> } | { readonly close: true };
/** The reply to a request. */
export type SqliteReply = { readonly done: true } | SqliteFailure;

function reply(make: () => SqliteOpening | SqliteReply): void {
  let message: SqliteOpening | SqliteReply;
  try {
    message = make();
  } catch (error) {
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
    const file = stateOf(error, code);
    message = { failed: error instanceof Error ? error.message : String(error), code, ...(file && { file }) };
  }
  parentPort?.postMessage(message);
}

/** SQLITE_ERROR, which is a table or column that is not there; SQLITE_CORRUPT; SQLITE_NOTADB. */
const DAMAGE_CODES: readonly number[] = [1, 11, 26];

function stateOf(error: unknown, code: number): SqliteFailure['file'] {
  if (error instanceof LaterFile) return 'later';
  return error instanceof DamagedFile || DAMAGE_CODES.includes(code) ? 'damaged' : undefined;
}

const { path } = workerData as SqliteWorkerData;

reply(() => {
  const file = new SqliteFile(path);
  const opened = file.read();
  parentPort?.on('message', (request: SqliteRequest) => {
    reply(() => {
      if ('commit' in request) file.commit(request.commit);
      else file.close();
      return { done: true };
    });
    if ('close' in request) parentPort?.close();
  });
  return { opened };
});
