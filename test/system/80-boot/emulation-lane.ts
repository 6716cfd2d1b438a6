/** The turn of a test file to emulate machines. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { lockFile } from '../../../src/kernel/file-lock.ts';
import { until } from '../until.ts';

/** Longer than all other files with emulated machines take together. */
const TURN_MS = 900_000;

/**
 * Lets one file at a time emulate machines, whichever worker runs it: an emulated machine takes a whole processor, and beside
 * those of another file it boots in more than its deadline. Call it before anything else that ends after the last test: the turn
 * must end last.
 */
export function takeTurnToEmulate(): void {
  const path = join(tmpdir(), 'meshwork-test-emulation.lock');
  let unlock: (() => void) | undefined;
  beforeAll(async () => {
    unlock = await until('no other file emulates machines', TURN_MS, () => lockFile(path));
  }, TURN_MS);
  afterAll(() => unlock?.());
}
