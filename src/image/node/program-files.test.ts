/** The paths of program-files.ts lead to files. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BOOT_SCRIPTS, BUNDLES, commandDirectory, programFile } from './program-files.ts';

test('in a checkout every file exists', () => {
  const files = [
    programFile('host0'),
    programFile('agent'),
    join(commandDirectory, 'mesh'),
    join(BOOT_SCRIPTS, 'init'),
    ...Object.values(BUNDLES),
  ];
  expect(files.filter((file) => !existsSync(file))).toEqual([]);
});
