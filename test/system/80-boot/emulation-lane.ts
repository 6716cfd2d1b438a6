/** The turn of a test file to emulate machines. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll } from 'vitest';
import { lockFile } from '../../../src/kernel/file-lock.ts';
import { until } from '../until.ts';

/** Longer than all other files with emulated machines take together. */
const TURN_MS = 900_000;

/**
 * Lets one file at a time emulate machines, whichever worker runs it: an emulated machine takes a whole processor, and beside
 * those of another file it boots in more than its deadline. The turn ends with the process of the file.
 */
export function takeTurnToEmulate(): void {
  const path = join(tmpdir(), 'meshwork-test-emulation.lock');
  beforeAll(async () => {
    await until('no other file emulates machines', TURN_MS, async () => lockFile(path));
  }, TURN_MS);
}
