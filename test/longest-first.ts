/** The order of test files: what takes longest begins first, so that nothing goes on alone when all else is done. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const ROOT = join(import.meta.dirname, '..');

/** Files that take more than 25 s, the longest first. Vitest knows times of former runs only, and in a clean clone there are none. */
const LISTED: readonly string[] = [
  'test/sim/sim.test.ts',
  'test/system/80-boot/machines.test.ts',
  'test/system/60-doctor/faults.test.ts',
  'test/system/80-boot/node-image.test.ts',
  'test/system/70-storm/storm.test.ts',
  'test/system/20-membership/membership.test.ts',
  'test/system/30-faults/coming-and-going.test.ts',
  'test/system/81-boot-scale/scale.test.ts',
  'test/system/80-boot/faults.test.ts',
  'test/system/20-restarts/outsiders.test.ts',
  'test/system/60-package/debian.test.ts',
  'test/system/30-faults/identity.test.ts',
  'test/system/30-faults/outages.test.ts',
];
const LONGEST = LISTED.map((file) => join(ROOT, file));

/** The listed files that are not there, from the root of the repository. They stop no test run, but one unit test. */
export const MISSING: readonly string[] = LISTED.filter((file) => !existsSync(join(ROOT, file)));

for (const file of MISSING)
  console.error(`test/longest-first.ts: there is no ${file}; write its new path into the list, or take it out`);

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const first = LONGEST.flatMap((longest) => sorted.filter(({ moduleId }) => moduleId === longest));
    return [...first, ...sorted.filter((file) => !first.includes(file))];
  }
}
