/** The kinds of errors: what each means for the HTTP API and for the command line. */

/** A code for the HTTP API (status), for the command line (exit code), and for people (a sentence). */
export interface ErrorClass {
  readonly http: number;
  readonly exit: number;
  readonly means: string;
}

/** Wrong input. */
export const input = (means: string): ErrorClass => ({ http: 422, exit: 1, means });
/** Right input that does not go together with what is there. */
export const conflict = (means: string): ErrorClass => ({ http: 409, exit: 1, means });
/** A wrong command line or request. */
export const usage = (means: string): ErrorClass => ({ http: 400, exit: 2, means });
/** Something does not answer. */
export const away = (means: string): ErrorClass => ({ http: 503, exit: 3, means });
/** Something is not allowed. */
export const denied = (means: string): ErrorClass => ({ http: 403, exit: 4, means });
/** The system refuses. */
export const system = (means: string): ErrorClass => ({ http: 500, exit: 5, means });
/** Something is not kept any more. */
export const gone = (means: string): ErrorClass => ({ http: 410, exit: 5, means });
/** What was named does not exist. */
export const absent = (means: string): ErrorClass => ({ http: 404, exit: 6, means });
