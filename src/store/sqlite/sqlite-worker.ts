/** The worker thread that waits for the disk, so that the main thread never does. */
import { parentPort, workerData } from 'node:worker_threads';
import type { LedgerImage, TxnJudgement } from '../ledger.ts';
import { failureOf, type SqliteFailure } from './sqlite-failure.ts';
import { SqliteFile, type StoreOpening } from './sqlite-file.ts';

/** `workerData` of the thread: the path of the file, and how it is told from a copy. */
export interface SqliteWorkerData {
  readonly path: string;
  readonly opening?: StoreOpening;
}

/** What was in the file. */
export interface OpenedFile {
  readonly epoch: string;
  readonly image: LedgerImage;
  /** The store came from elsewhere, and its epoch is new. */
  readonly isRenewed: boolean;
}

/** The first message of the worker: the contents of the file, or why it cannot be opened. */
export type SqliteOpening = { readonly opened: OpenedFile } | SqliteFailure;

/** A request. Each gets one reply, and the next is sent only after the reply. The worker ends after `close`. */
export type SqliteRequest = { readonly commit: Pick<TxnJudgement, 'batches' | 'compacted'> } | { readonly close: true };
/** The reply to a request. */
export type SqliteReply = { readonly done: true } | SqliteFailure;

function reply(make: () => SqliteOpening | SqliteReply): void {
  let message: SqliteOpening | SqliteReply;
  try {
    message = make();
  } catch (error) {
    message = failureOf(error);
  }
  parentPort?.postMessage(message);
}

const { path, opening } = workerData as SqliteWorkerData;

reply(() => {
  const file = new SqliteFile(path);
  const { epoch, image } = file.read();
  const renewed = opening && file.claim(opening);
  const opened = { epoch: renewed ?? epoch, image, isRenewed: renewed !== undefined };
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
