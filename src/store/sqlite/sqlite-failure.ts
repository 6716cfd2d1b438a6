/** Why a store file could not be used: the file is not right, or the system refused a call. */

/** The file does not hold what this program wrote. */
export class DamagedFile extends Error {}

/** The file is of a later version of this program. */
export class LaterFile extends Error {}

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

/** SQLITE_ERROR, which is a table or column that is not there; SQLITE_CORRUPT; SQLITE_NOTADB. */
const DAMAGE_CODES: readonly number[] = [1, 11, 26];

/** An error of `SqliteFile`, in the form that the worker sends. */
export function failureOf(error: unknown): SqliteFailure {
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  const file = stateOf(error, code);
  return { failed: error instanceof Error ? error.message : String(error), code, ...(file && { file }) };
}

function stateOf(error: unknown, code: number): SqliteFailure['file'] {
  if (error instanceof LaterFile) return 'later';
  return error instanceof DamagedFile || DAMAGE_CODES.includes(code) ? 'damaged' : undefined;
}
