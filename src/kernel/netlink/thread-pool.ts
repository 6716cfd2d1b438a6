/**
 * Runs calls that may wait for a kernel lock on a thread of libuv's pool, so that the main thread never waits. The
 * pool's four threads also serve files and nftables: each caller therefore makes one such call at a time.
 */
import koffi from 'koffi';

/** The callback that koffi's `async` takes after the function's own arguments. */
type Done<T> = (error: Error | null, result: T) => void;

/**
 * Runs a koffi function on a pool thread.
 * @param call passes the callback to the function's `async`
 * @returns what the function returns
 */
export function onThread<T>(call: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)));
  });
}

/**
 * Runs a C function of libc.ts on a pool thread.
 * @returns its result; a negative errno instead of -1
 */
export function systemCallOnThread(call: (done: Done<number>) => void): Promise<number> {
  // koffi makes the thread's errno available only during this callback: read it before anything else runs.
  return onThread((done) => call((error, result) => done(error, result < 0 ? -koffi.errno() : result)));
}
