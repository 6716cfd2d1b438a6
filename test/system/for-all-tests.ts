/** Resources that all tests of a file share. */
import { afterAll } from 'vitest';

/** A stack that is disposed of after the last test of the file: the last resource first, and all, even if one fails. */
export function forAllTests(): AsyncDisposableStack {
  const shared = new AsyncDisposableStack();
  afterAll(() => shared.disposeAsync());
  return shared;
}
