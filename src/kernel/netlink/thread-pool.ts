/**
 * Calls that may wait for a lock of the kernel, on a thread of libuv's pool: the main thread never does. The pool's four
 * threads serve all that the process does so (files, nftables), hence each who calls makes one call at a time.
 */
import koffi from 'koffi';

/** To be given to a koffi function's `async` after its other arguments. */
type Done<T> = (error: Error | null, result: T) => void;

/** What the function returns. */
export function onThread<T>(call: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)));
  });
}

/** What a system call of libc.ts returns; instead of its -1 the negative errno, as the kernel itself says it. */
export function systemCallOnThread(call: (done: Done<number>) => void): Promise<number> {
  // Read before anything else runs: koffi brings the thread's errno over for the length of this callback.
  return onThread((done) => call((error, result) => done(error, result < 0 ? -koffi.errno() : result)));
}
