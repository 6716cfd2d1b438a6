/** What the tests of a file share. */
import { afterAll } from 'vitest';

/** Disposes of what is put in after the last test: the youngest first, and all of it, also when something cannot be. */
export function forAllTests(): AsyncDisposableStack {
  const shared = new AsyncDisposableStack();
  afterAll(() => shared.disposeAsync());
  return shared;
}
